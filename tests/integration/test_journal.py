"""The journal on a real server: one writer, fenced by take-over; large bodies; removed with its request."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import JsonValue

from picoclaw.errors import JobCancelled, RecordRefused
from picoclaw.swarm.artifact_expiry import ArtifactExpiry
from picoclaw.swarm.entries import Cancelled, Queued
from picoclaw.swarm.journal import SOON, TaskJournal, read_journal, take_over
from picoclaw.swarm.prune import remove_request
from picoclaw.swarm.server_time import server_time
from picoclaw.swarm.steps import Intent, Outcome, Step, Takeover
from picoclaw.swarm.subjects import REQUEST_STEP, request_id
from picoclaw.swarm.swarm import Me, Swarm
from picoclaw.tests.support.fault_points import writes
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import Lab
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

REQUEST = request_id("a journal")[0]


def outcome(number: int, body: JsonValue = "done") -> Outcome:
    return Outcome(number=number, body=body)


async def take(swarm: Swarm, attempt: int = 1, request: str = REQUEST) -> TaskJournal:
    return await take_over(swarm, request, "task", attempt=attempt)


def told(steps: list[Step] | tuple[Step, ...]) -> list[str]:
    return [f"{step.kind} {getattr(step, 'number', getattr(step, 'attempt', ''))}" for step in steps]


async def test_a_later_attempt_reads_what_an_earlier_one_wrote_and_fences_it(lab: Lab) -> None:
    one = await lab.door(me=Me(node="w1", run="run1"))
    two = await lab.door(me=Me(node="w2", run="run2"))
    first = await take(one)
    await first.append(Intent(number=1, what="turn", name="fake/m", repeatable=True))
    await first.append(outcome(1, {"text": "ä", "null": None}))
    second = await take(two, 2)
    assert told(list(second.steps)) == ["takeover 1", "intent 1", "outcome 1", "takeover 2"]
    assert isinstance(second.steps[2], Outcome)
    assert second.steps[2].body == {"text": "ä", "null": None}
    with pytest.raises(JobCancelled, match="taken over by a later attempt"):
        await first.append(outcome(2))
    await second.append(outcome(2))
    assert told(await read_journal(two, REQUEST, "task"))[-1] == "outcome 2"


async def test_an_intent_whose_answer_came_late_has_no_effect_where_the_task_was_taken_over_meanwhile(
    lab: Lab,
) -> None:
    """As after SIGSTOP: it was stored in time, and whoever wrote it learns that too late."""
    passing = threading.Event()
    # So that its connection stands meanwhile, as it does at the usual settings.
    lab.nats = replace(lab.nats, heartbeat_interval=timedelta(seconds=5))
    async with Relay(lab.nats.urls[0]) as relay:
        one = await lab.door(me=Me(node="w1", run="run1"), url=relay.url)
        two = await lab.door(me=Me(node="w2", run="run2"))
        first = await take(one)
        held = relay.point(
            writes("journal", entry="intent"), "after", lambda _: passing.wait(20), then="pass"
        )
        begun = time.monotonic()
        writing = asyncio.create_task(
            first.append(Intent(number=1, what="tool", name="bash", repeatable=False))
        )
        await wait_for_async(lambda: bool(held.seen))

        async def stored() -> bool:
            return len(await read_journal(two, REQUEST, "task")) == 2

        await wait_for_async(stored)
        second = await take(two, 2)
        assert told(list(second.steps)) == ["takeover 1", "intent 1", "takeover 2"]
        await asyncio.sleep(max(0.0, begun + SOON.total_seconds() + 0.1 - time.monotonic()))
        passing.set()
        with pytest.raises(JobCancelled, match="taken over by a later attempt"):
            await writing


async def test_a_task_is_as_old_as_its_first_attempt(lab: Lab) -> None:
    first = await take(await lab.door(me=Me(node="w1", run="run1")))
    second = await lab.door(me=Me(node="w2", run="run2"))
    await asyncio.sleep(0.3)
    age = (await take(second, 2)).age
    assert timedelta(seconds=0.3) <= age <= first.age + timedelta(seconds=0.1)


async def test_an_attempt_that_comes_too_late_writes_nothing(lab: Lab) -> None:
    one = await lab.door(me=Me(node="w1", run="run1"))
    two = await lab.door(me=Me(node="w2", run="run2"))
    await take(two, 2)
    with pytest.raises(JobCancelled, match="taken over by attempt 2 on w2"):
        await take(one, 1)
    with pytest.raises(JobCancelled, match="taken over by attempt 2 on w2"):
        await take(one, 2)
    assert told(await read_journal(one, REQUEST, "task")) == ["takeover 2"]


async def test_of_many_that_take_over_at_once_the_latest_attempt_writes_last(lab: Lab) -> None:
    doors = [await lab.door(me=Me(node=f"w{n}", run=f"run{n}")) for n in range(5)]
    taken = await asyncio.gather(*(take(door, n + 1) for n, door in enumerate(doors)), return_exceptions=True)
    assert isinstance(taken[-1], TaskJournal)
    for journal in taken[:-1]:
        assert isinstance(journal, TaskJournal | JobCancelled)
        if isinstance(journal, TaskJournal):
            with pytest.raises(JobCancelled):
                await journal.append(outcome(1))
    await taken[-1].append(outcome(1))
    steps = await read_journal(doors[0], REQUEST, "task")
    attempts = [step.attempt for step in steps if isinstance(step, Takeover)]
    assert attempts == sorted(attempts)


async def test_a_large_body_lies_in_an_artifact_that_lives_as_long_as_the_journal(lab: Lab) -> None:
    swarm = await lab.door(me=Me(node="w1", run="run1"))
    seq = await swarm.log.append(
        REQUEST, REQUEST_STEP, Cancelled(by="test", reason="person", why="over"), expected=0
    )
    assert seq
    journal = await take(swarm)
    large: JsonValue = {"text": "x" * 300_000}
    await journal.append(outcome(1, large))
    stored = (await read_journal(swarm, REQUEST, "task"))[1]
    assert isinstance(stored, Outcome)
    assert (stored.body, stored.ref is not None) == (None, True)
    await server_time(swarm)
    expiry = ArtifactExpiry(swarm, grace=timedelta(0))
    assert await expiry.sweep(oldest_open=None) == 0
    again = await take(await lab.door(me=Me(node="w2", run="run2")), 2)
    assert isinstance(again.steps[1], Outcome)
    assert again.steps[1].body == large
    await remove_request(swarm, REQUEST)
    assert await read_journal(swarm, REQUEST, "task") == []

    async def gone() -> bool:
        return await expiry.sweep(oldest_open=None) == 1

    await wait_for_async(gone)
    with pytest.raises(JobCancelled):
        await again.append(outcome(2))


async def test_a_request_that_has_not_ended_keeps_its_journal(lab: Lab) -> None:
    swarm = await lab.door(me=Me(node="w1", run="run1"))
    await swarm.log.append(REQUEST, "task", Queued(demand="noop", priority=1), expected=0)
    await take(swarm)
    await remove_request(swarm, REQUEST)
    assert told(await read_journal(swarm, REQUEST, "task")) == ["takeover 1"]


async def test_rubbish_is_passed_over_and_a_newer_version_s_step_is_not(lab: Lab) -> None:
    swarm = await lab.door(me=Me(node="w1", run="run1"))
    journal = await take(swarm)
    subject = swarm.names.journal_of(REQUEST, "task")
    await swarm.wire.store(subject, b"hello")
    with pytest.raises(JobCancelled):  # whoever wrote it, the place is no longer mine
        await journal.append(outcome(1))
    later = await take(swarm, 2)
    assert told(list(later.steps)) == ["takeover 1", "takeover 2"]
    await swarm.wire.store(subject, b'{"v":1,"kind":"newer","id":"00"}')
    with pytest.raises(RecordRefused, match="its kind is unknown"):
        await take(swarm, 3)


async def test_two_writers_of_one_attempt_write_one_after_the_other(lab: Lab) -> None:
    journal = await take(await lab.door(me=Me(node="w1", run="run1")))
    await asyncio.gather(*(journal.append(outcome(n)) for n in range(1, 30)))
    assert sorted(told(list(journal.steps))[1:]) == sorted(f"outcome {n}" for n in range(1, 30))


async def test_a_full_journal_waits_and_goes_on_once_there_is_room(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    swarm = await lab.door(me=Me(node="w1", run="run1"))
    journal = await take(swarm)
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.journal}")
    size = int(info["state"]["bytes"]) + 10
    await swarm.wire.api(f"STREAM.UPDATE.{swarm.names.journal}", info["config"] | {"max_bytes": size})
    writing = asyncio.create_task(journal.append(outcome(1)))
    await wait_for_async(lambda: "the journal is full" in caplog.text)
    assert "size.journal" in caplog.text
    assert not writing.done()
    await swarm.wire.api(f"STREAM.UPDATE.{swarm.names.journal}", info["config"])
    async with asyncio.timeout(10):
        await writing
