"""A request from its acceptance to its end: once, by one owner, cancelled or late where that is asked."""

import asyncio
import logging
from datetime import timedelta

import pytest
from pydantic import JsonValue

from picoclaw.errors import IdempotencyClash
from picoclaw.swarm.cancel import cancel_request, cancel_task
from picoclaw.swarm.entries import Accepted, Cancelled, Done, Failed, Planned
from picoclaw.swarm.submission import new_request, submit
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.fault_points import nothing, writes
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import (
    STEP,
    Lab,
    ask,
    end_of,
    entries,
    in_queue,
    kinds,
    report_of,
    step,
    template,
)
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def test_a_request_is_accepted_planned_run_and_ended_and_its_report_says_what_came_of_it(
    lab: Lab,
) -> None:
    runs = Runs()
    coordinator = await lab.coordinator(name="c")
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, "say hello", demand="noop")
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    assert not ended.head.partial
    assert report_of(ended)["tasks"][0]["summary"] == "task done"
    accepted, planned, done = await entries(swarm, request)
    assert isinstance(accepted, Accepted)
    assert isinstance(planned, Planned)
    assert isinstance(done, Done)
    assert accepted.owner == planned.owner == "c"
    assert accepted.run == coordinator.run
    assert accepted.request.text == "say hello"
    assert await kinds(swarm, request, STEP) == ["queued", "started", "done"]
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.requests}")
    assert info["state"]["messages"] == 0, "from here on ownership is the log, not the inbox"


async def test_sent_twice_is_accepted_once(lab: Lab) -> None:
    runs = Runs()
    swarm = await lab.door()
    request = new_request("once", key="order 17", demand="noop")
    assert await submit(swarm, request)
    assert not await submit(swarm, new_request("once", key="order 17", demand="noop"))
    await lab.coordinator()
    await lab.worker(executors(runs))
    await end_of(swarm, request.id)
    assert not await submit(swarm, request), "nor after its end"
    await asyncio.sleep(0.2)
    assert await kinds(swarm, request.id) == ["accepted", "planned", "done"]
    assert runs.tasks == [f"{request.id}.task"]


async def test_a_copy_that_reached_the_inbox_behind_the_acceptance_is_dropped(lab: Lab) -> None:
    """Two senders at once: the second one looked before the first was accepted."""
    runs = Runs()
    await lab.coordinator()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = new_request("once", key="order 18", demand="noop")
    await submit(swarm, request)
    await end_of(swarm, request.id)
    assert await swarm.inbox.submit(request)

    async def empty() -> bool:
        info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.requests}")
        return bool(info["state"]["messages"] == 0)

    await wait_for_async(empty)
    assert await kinds(swarm, request.id) == ["accepted", "planned", "done"]
    assert len(runs.tasks) == 1


async def test_two_coordinators_that_race_for_requests_accept_each_once_and_share_them(lab: Lab) -> None:
    await lab.coordinator(name="c1")
    await lab.coordinator(name="c2")
    runs = Runs()
    await lab.worker(executors(runs), slots=20)
    swarm = await lab.door()
    consumer = f"{swarm.names.requests}.{swarm.names.inbox_consumer(1)}"

    async def both_ask() -> bool:
        return int((await swarm.wire.api(f"CONSUMER.INFO.{consumer}"))["num_waiting"]) == 2

    await wait_for_async(both_ask)
    requests = await asyncio.gather(*(ask(swarm, f"number {n}", demand="noop") for n in range(40)))
    ends = await asyncio.gather(*(end_of(swarm, request) for request in requests))
    assert {ended.head.state for ended in ends} == {"done"}
    owners = []
    for request in requests:
        found = await entries(swarm, request)
        assert [entry.kind for entry in found] == ["accepted", "planned", "done"]
        assert isinstance(found[0], Accepted)
        owners.append(found[0].owner)
    assert set(owners) == {"c1", "c2"}, "both took some"
    assert sorted(runs.tasks) == sorted(f"{request}.task" for request in requests), "each ran once"


async def test_one_key_for_two_different_requests_is_refused_in_words(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    request = new_request("pay the bill", key="order 19", demand="noop")
    await submit(swarm, request)
    await end_of(swarm, request.id)
    with pytest.raises(IdempotencyClash, match=r"was used before for another request \('pay the bill'\)"):
        await submit(swarm, new_request("pay it again", key="order 19", demand="noop"))


async def test_a_large_request_is_known_again_by_its_key_whoever_sends_it(lab: Lab) -> None:
    swarm = await lab.door()
    large: dict[str, JsonValue] = {"list": ["entry"] * 30_000}
    await submit(swarm, new_request("count", key="order 21", demand="noop", input=large, sender="ann@one"))
    again = new_request("count", key="order 21", demand="noop", input=large, sender="bob@two")
    assert not await submit(swarm, again)
    with pytest.raises(IdempotencyClash):
        await submit(swarm, new_request("count", key="order 21", demand="noop", input=large | {"more": 1}))


@pytest.mark.parametrize("priority", [1, 3])
async def test_one_key_for_two_different_requests_is_refused_while_the_first_waits_in_the_inbox(
    lab: Lab, priority: int
) -> None:
    swarm = await lab.door()
    first = new_request("pay the bill", key="order 20", demand="noop")
    await submit(swarm, first)
    assert not await submit(
        swarm, new_request("pay the bill", key="order 20", demand="noop", priority=priority)
    )
    with pytest.raises(IdempotencyClash, match=r"another request \('pay the bill'\)"):
        await submit(swarm, new_request("pay it again", key="order 20", demand="noop", priority=priority))
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    assert (await end_of(swarm, first.id)).head.state == "done"


async def test_a_request_without_template_or_capability_ends_with_what_would_make_it_work(lab: Lab) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, "do something clever"))
    assert ended.head.state == "failed"
    assert "picoclaw dispatch --capability" in ended.head.reason


async def test_a_plan_with_a_cycle_ends_the_request_and_releases_nothing(lab: Lab) -> None:
    runs = Runs()
    circle = template("circle", step("a", after=("b",)), step("b", after=("a",)), step("c"))
    await lab.coordinator(circle)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, template="circle"))
    assert ended.head.state == "failed"
    assert "cycle" in ended.head.reason
    assert await in_queue(swarm) == 0
    assert runs.tasks == []


async def test_messages_in_the_inbox_that_are_no_requests_harm_nobody(lab: Lab) -> None:
    coordinator = await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    other = new_request("other", demand="noop")
    bodies = [b"", b"{", b"\xff\xfe", b'{"v": 99}', b"[]", other.to_bytes()]
    for number, body in enumerate(bodies):
        await swarm.wire.store(swarm.names.inbox(1, f"r-foreign{number}"), body)
    ended = await end_of(swarm, await ask(swarm, demand="noop"))
    assert ended.head.state == "done"

    async def empty() -> bool:
        info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.requests}")
        return bool(info["state"]["messages"] == 0)

    await wait_for_async(empty)
    assert not coordinator.task.done()


async def test_messages_in_the_log_that_are_no_entries_harm_nobody(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()
    await swarm.wire.store(swarm.names.log_of(request), b"{")
    await swarm.wire.store(swarm.names.log_of("r-foreign"), b'{"v": 99}')
    gate.open()
    assert (await end_of(swarm, request)).head.state == "done"


# --- cancellation ---


async def test_cancel_of_a_running_request_stops_its_jobs_and_ends_everything(lab: Lab) -> None:
    runs = Runs(do=Gate())
    plan = template("plan", step("a"), step("b"), step("later", after=("a",)))
    await lab.coordinator(plan)
    await lab.worker(executors(runs), slots=1)
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    running = await runs.next()
    await cancel_request(swarm, request, why="not needed any more", by="me")
    ended = await end_of(swarm, request)
    assert ended.head.state == "cancelled"
    assert ended.head.reason == "person: not needed any more"
    await wait_for_async(lambda: runs.cancelled == [running.id])
    for name in ("a", "b", "later"):
        last = (await entries(swarm, request, name))[-1]
        assert isinstance(last, Cancelled)
        assert (last.reason, last.why) == ("request", "not needed any more")

    async def gone() -> bool:
        return await in_queue(swarm) == 0

    await wait_for_async(gone)


async def test_cancel_of_a_request_that_still_is_in_the_inbox_ends_it_at_once(lab: Lab) -> None:
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    outcome = await cancel_request(swarm, request, why="too late", by="me", text="do it")
    assert outcome.withdrawn
    runs = Runs()
    await lab.coordinator()
    await lab.worker(executors(runs))
    after = await end_of(swarm, await ask(swarm, demand="noop"))
    assert after.head.state == "done"
    assert await kinds(swarm, request) == ["cancelled"]
    assert (await end_of(swarm, request)).head.state == "cancelled"
    assert len(runs.tasks) == 1


async def test_cancel_of_a_queued_a_running_and_a_planned_task(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    plan = template("plan", step("a"), step("b"), step("c", after=("b",), needs="settled"), step("d"))
    await lab.coordinator(plan)
    await lab.worker(executors(runs), slots=1)
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    running = (await runs.next()).task.step
    queued = next(name for name in ("a", "b", "d") if name != running)

    async def waits() -> bool:
        return await kinds(swarm, request, queued) == ["queued"]

    await wait_for_async(waits)
    await cancel_task(swarm, request, "c", why="not this one")
    await cancel_task(swarm, request, queued, why="nor this")
    await cancel_task(swarm, request, running, why="nor that")
    gate.open()
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    assert ended.head.partial
    rest = next(name for name in ("a", "b", "d") if name not in (running, queued))
    assert await kinds(swarm, request, "c") == ["cancelled"]
    assert await kinds(swarm, request, queued) == ["queued", "cancelled"]
    assert await kinds(swarm, request, running) == ["queued", "started", "cancelled"]
    assert await kinds(swarm, request, rest) == ["queued", "started", "done"]
    assert runs.cancelled == [f"{request}.{running}"]
    missing = report_of(ended)["missing"]
    assert len(missing) == 3
    assert any("nor this" in line for line in missing)


# --- deadlines ---


async def test_a_request_past_its_deadline_fails_with_what_there_is(lab: Lab) -> None:
    gate, quick = Gate(), Runs("quick")
    slow = Runs("slow", do=gate)
    plan = template(
        "plan", step("fast", "quick"), step("slow", "slow"), step("last", "quick", after=("slow",))
    )
    await lab.coordinator(plan)
    await lab.worker(executors(quick, slow))
    swarm = await lab.door()
    request = await ask(swarm, template="plan", deadline=timedelta(seconds=1))
    ended = await end_of(swarm, request)
    assert ended.head.state == "failed"
    assert ended.head.reason.startswith("deadline: ")
    assert slow.cancelled == [f"{request}.slow"]
    assert quick.tasks == [f"{request}.fast"]
    for name in ("slow", "last"):
        last = (await entries(swarm, request, name))[-1]
        assert isinstance(last, Failed)
        assert last.reason in ("deadline", "dependency")
    by_step = {task["step"]: task for task in report_of(ended)["tasks"]}
    assert by_step["fast"]["summary"] == "fast done"


async def test_a_task_past_its_own_limit_fails_and_the_request_says_so(lab: Lab) -> None:
    slow = Runs("slow", do=Gate())
    plan = template("plan", step("fast"), step("slow", "slow", timeout_s=0.3))
    await lab.coordinator(plan)
    await lab.worker(executors(Runs(), slow))
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, template="plan"))
    assert ended.head.state == "done"
    assert ended.head.partial
    assert any("ran for over 0.3 s" in line for line in report_of(ended)["missing"])


async def test_an_acceptance_whose_answer_is_lost_and_that_a_cancellation_wrote_over_is_its_own(
    lab: Lab, nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its entry is no longer the last one: that it stands there decides, not that somebody wrote after it."""
    caplog.set_level(logging.INFO)
    async with Relay(nats_server.url) as relay:
        lost = relay.point(writes("log", entry="accepted"), "after", nothing, then="lose")
        await lab.coordinator(name="c", urls=(relay.url,))
        swarm = await lab.door()
        request = await ask(swarm, demand="nobody-has-it")
        await lost.wait_async()
        await cancel_request(swarm, request, why="enough")

        assert (await end_of(swarm, request)).head.state == "cancelled"
        assert await kinds(swarm, request) == ["accepted", "cancelling", "cancelled"]
    assert [record.message for record in caplog.records].count("Request accepted") == 1
