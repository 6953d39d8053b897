"""Owners and holders die; requests and tasks go on with others, once, and a stale one changes nothing."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from picoclaw.swarm.cancel import cancel_request
from picoclaw.swarm.entries import Accepted, Dead, Done, Owner, Queued, Started
from picoclaw.swarm.kv import last_message
from picoclaw.swarm.records import DeadLetter
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, entries, kinds, step, template
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

Start = Callable[..., Awaitable[ChildNode]]


@pytest.fixture
async def child(lab: Lab) -> AsyncIterator[Start]:
    """Start nodes in processes of their own; they are killed with the test."""
    children: list[ChildNode] = []

    async def start(role: str, name: str, **more: Any) -> ChildNode:
        children.append(await ChildNode.start(lab, role, name, **more))
        return children[-1]

    yield start
    for each in children:
        await each.kill()


async def accepted_by(swarm: Swarm, request: str) -> str:
    async def there() -> str:
        found = await entries(swarm, request)
        return found[0].owner if found and isinstance(found[0], Accepted) else ""

    return await wait_for_async(there)


async def owners(swarm: Swarm, request: str) -> list[str]:
    return [entry.owner for entry in await entries(swarm, request) if isinstance(entry, Accepted | Owner)]


# --- coordinators ---


async def test_when_the_owners_process_is_killed_another_goes_on_from_the_log(lab: Lab, child: Start) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    owner = await child("coordinator", "first")
    request = await ask(swarm, demand="noop")
    await runs.next()
    second = await lab.coordinator(name="second")
    await wait_for_async(lambda: second.swarm.members.may_declare)
    before = time.monotonic()
    await owner.kill()

    async def taken_over() -> bool:
        return await owners(swarm, request) == ["first", "second"]

    await wait_for_async(taken_over)
    assert time.monotonic() - before < 5
    gate.open()
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    assert await kinds(swarm, request) == ["accepted", "planned", "owner", "done"]
    assert runs.tasks == [f"{request}.task"], "what ran went on running"


async def test_an_owner_that_restarts_under_its_own_name_goes_on_at_once(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    first = await lab.coordinator(name="c")
    request = await ask(swarm, demand="noop")
    await runs.next()
    await first.crash()
    before = time.monotonic()
    again = await lab.coordinator(name="c")

    async def mine() -> bool:
        found = await entries(swarm, request)
        return isinstance(found[-1], Owner) and found[-1].run == again.run

    await wait_for_async(mine)
    assert time.monotonic() - before < 2, "a newer run of the name is the death of the earlier one"
    gate.open()
    assert (await end_of(swarm, request)).head.state == "done"
    assert len(runs.tasks) == 1


async def test_an_owner_that_says_goodbye_is_followed_at_once(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    first = await lab.coordinator(name="first")
    request = await ask(swarm, demand="noop")
    await runs.next()
    await lab.coordinator(name="second")
    await first.stop()
    before = time.monotonic()

    async def taken_over() -> bool:
        return await owners(swarm, request) == ["first", "second"]

    await wait_for_async(taken_over)
    assert time.monotonic() - before < 1.5
    gate.open()
    assert (await end_of(swarm, request)).head.state == "done"


async def test_of_several_coordinators_one_takes_an_orphan(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    first = await lab.coordinator(name="first")
    requests = [await ask(swarm, f"number {n}", demand="noop") for n in range(5)]
    for request in requests:
        await accepted_by(swarm, request)
    others = [await lab.coordinator(name=f"other {n}") for n in range(3)]
    await wait_for_async(lambda: all(other.swarm.members.may_declare for other in others))
    await first.crash()
    gate.open()
    for request in requests:
        assert (await end_of(swarm, request)).head.state == "done"
        found = await kinds(swarm, request)
        assert found.count("owner") <= 1
        assert found.count("done") == 1
    assert sorted(runs.tasks) == sorted(f"{request}.task" for request in requests)


async def test_a_request_cancelled_while_its_owner_was_dead_is_ended_by_the_next(lab: Lab) -> None:
    runs = Runs(do=Gate())
    await lab.worker(executors(runs))
    swarm = await lab.door()
    first = await lab.coordinator(name="first")
    request = await ask(swarm, demand="noop")
    await runs.next()
    await first.crash()
    await cancel_request(swarm, request, why="never mind")
    await lab.coordinator(name="second")
    ended = await end_of(swarm, request)
    assert ended.head.state == "cancelled"
    assert len(runs.cancelled) == 1


async def test_a_request_whose_last_message_is_no_entry_is_taken_over_all_the_same(lab: Lab) -> None:
    runs = Runs(do=Gate())
    first = await lab.coordinator(name="first")
    worker = await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()
    await swarm.wire.store(swarm.names.log_of(request), b"\xff no entry")
    await first.crash()
    await worker.crash()
    await lab.worker(executors(Runs()))
    await lab.coordinator(name="second")
    assert (await end_of(swarm, request)).head.state == "done"


async def test_a_frozen_owner_that_thaws_after_the_take_over_changes_nothing(lab: Lab, child: Start) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    frozen = await child("coordinator", "frozen")
    request = await ask(swarm, demand="noop")
    await runs.next()
    await lab.coordinator(name="second")
    frozen.process.send_signal(signal.SIGSTOP)

    async def taken_over() -> bool:
        return await owners(swarm, request) == ["frozen", "second"]

    await wait_for_async(taken_over)
    frozen.process.send_signal(signal.SIGCONT)
    gate.open()
    assert (await end_of(swarm, request)).head.state == "done"
    await asyncio.sleep(0.5)
    assert await kinds(swarm, request) == ["accepted", "planned", "owner", "done"]
    assert await kinds(swarm, request, STEP) == ["queued", "started", "done"]


# --- holders ---


async def test_when_a_worker_is_killed_its_task_ends_elsewhere_once(lab: Lab, child: Start) -> None:
    swarm = await lab.door()
    coordinator = await lab.coordinator()
    worker = await child("worker", "killed", hold=True)
    request = await ask(swarm, demand="noop")
    await worker.says("began")
    runs = Runs()
    other = await lab.worker(executors(runs), name="other")
    await wait_for_async(lambda: coordinator.swarm.members.may_declare)
    before = time.monotonic()
    await worker.kill()
    ended = await end_of(swarm, request)
    assert time.monotonic() - before < 5, "its ack wait is 30 s"
    assert ended.head.state == "done"
    *_, queued, started, done = await entries(swarm, request, STEP)
    assert isinstance(queued, Queued)
    assert isinstance(started, Started)
    assert isinstance(done, Done)
    assert queued.reason == "node offline: killed"
    assert (started.node, started.attempt) == (other.name, 2)
    assert runs.tasks == [f"{request}.{STEP}"]


async def test_a_hung_worker_is_only_suspected_until_its_node_timeout_and_its_late_word_is_refused(
    lab: Lab, child: Start
) -> None:
    swarm = await lab.door()
    await lab.coordinator()
    worker = await child("worker", "hung", hold=True)
    request = await ask(swarm, demand="noop")
    await worker.says("began")
    runs = Runs()
    other = await lab.worker(executors(runs), name="other")
    await wait_for_async(lambda: other.swarm.members.may_declare)
    worker.process.send_signal(signal.SIGSTOP)
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    worker.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(0.5)
    found = await kinds(swarm, request, STEP)
    assert found == ["queued", "started", "queued", "started", "done"]
    assert runs.tasks == [f"{request}.{STEP}"]


async def test_a_worker_that_restarts_under_its_own_name_gives_its_old_tasks_back(lab: Lab) -> None:
    swarm = await lab.door()
    await lab.coordinator()
    first = await lab.worker(executors(Runs(do=Gate())), name="w")
    request = await ask(swarm, demand="noop")

    async def runs_there() -> bool:
        return await kinds(swarm, request, STEP) == ["queued", "started"]

    await wait_for_async(runs_there)
    await first.crash()
    runs = Runs()
    before = time.monotonic()
    await lab.worker(executors(runs), name="w")
    ended = await end_of(swarm, request)
    assert time.monotonic() - before < 3
    assert ended.head.state == "done"
    assert len(runs.tasks) == 1


async def test_a_task_whose_holders_keep_dying_ends_dead(lab: Lab) -> None:
    swarm = await lab.door()
    await lab.coordinator(template("plan", step("a", max_attempts=2)))
    request = await ask(swarm, template="plan")
    for number in (1, 2):
        runs = Runs(do=Gate())
        worker = await lab.worker(executors(runs), name=f"w{number}")
        await runs.next()
        await worker.crash()
    ended = await end_of(swarm, request)
    assert ended.head.state == "failed"
    *_, dead = await entries(swarm, request, "a")
    assert isinstance(dead, Dead)
    assert dead.error == "node offline: w2"
    assert dead.attempt == 2
    subject = swarm.names.dead_letter(request, "a")

    async def stored() -> bytes | None:
        found = await last_message(swarm.wire, swarm.names.dead_letters, subject)
        return found.data if found else None

    letter = DeadLetter.from_bytes(await wait_for_async(stored))
    assert (letter.error, letter.queued.task.step) == ("node offline: w2", "a")


async def test_a_node_that_was_cut_off_declares_nobody_dead_when_it_is_back(lab: Lab) -> None:
    """Everybody's heartbeats were missing for it: that is its own trouble."""
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs), name="healthy")
    swarm = await lab.door()
    async with Relay(lab.nats.urls[0]) as relay:
        await lab.coordinator(name="c", urls=(relay.url,))
        request = await ask(swarm, demand="noop")
        await runs.next()
        relay.hold()
        await asyncio.sleep(1.6)
        relay.release()
        await asyncio.sleep(0.8)
        assert await kinds(swarm, request, STEP) == ["queued", "started"]
        gate.open()
        assert (await end_of(swarm, request)).head.state == "done"
        assert await kinds(swarm, request, STEP) == ["queued", "started", "done"]
    assert len(runs.tasks) == 1
