"""Release and pulling: lanes hold little, small requests pass large ones, the best free slot gets the task."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.roles.planning.template import Template
from picoclaw.swarm.demand import parse_demand
from picoclaw.swarm.entries import Queued, Started
from picoclaw.swarm.lanes import lane_key
from picoclaw.swarm.log import decode
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import (
    Lab,
    Playing,
    ask,
    end_of,
    entries,
    in_queue,
    play_task,
    step,
    template,
)
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]


def wide(name: str, width: int) -> Template:
    """A template of many tasks that depend on nothing."""
    return template(name, *(step(f"t{number}") for number in range(width)))


async def states(swarm: Swarm, request: str) -> dict[str, int]:
    """How many tasks of a request the log has in each state, by the last entry of each."""
    found: dict[str, int] = {}
    for (_, name), followed in (await swarm.log.heads(request)).items():
        entry = decode(followed)
        if name != "_" and entry is not None:
            found[entry.kind] = found.get(entry.kind, 0) + 1
    return found


async def test_a_lane_with_one_slot_never_has_more_than_two_tasks_waiting(lab: Lab) -> None:
    swarm = await lab.door()
    most = 0

    async def look(task: QueuedTask, context: Context) -> Result:
        nonlocal most
        most = max(most, (await states(swarm, task.request)).get("queued", 0))
        return Result(summary="seen")

    runs = Runs(do=look)
    await lab.coordinator(wide("wide", 100))
    await lab.worker(executors(runs), slots=1)
    ended = await end_of(swarm, await ask(swarm, template="wide"), timeout=30)
    assert ended.head.state == "done"
    assert len(runs.tasks) == 100
    assert runs.most == 1
    assert 1 <= most <= 2


async def test_what_is_not_released_stays_planned_and_is_released_as_the_lane_drains(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator(wide("wide", 20))
    await lab.worker(executors(runs), slots=2)
    swarm = await lab.door()
    request = await ask(swarm, template="wide")

    async def settled() -> bool:
        return await states(swarm, request) == {"started": 2, "queued": 4}

    await wait_for_async(settled)
    assert await in_queue(swarm) == 6
    gate.open()
    assert (await end_of(swarm, request)).head.state == "done"
    assert len(runs.tasks) == 20


async def test_a_small_request_passes_a_large_one(lab: Lab) -> None:
    async def slowly(task: QueuedTask, context: Context) -> Result:
        await asyncio.sleep(0.01)
        return Result()

    runs = Runs(do=slowly)
    await lab.coordinator(wide("wide", 150))
    await lab.worker(executors(runs), slots=1)
    swarm = await lab.door()
    large = await ask(swarm, "large", template="wide")
    for _ in range(5):
        await runs.next()
    small = await ask(swarm, "small", demand="noop")
    assert (await end_of(swarm, small)).head.state == "done"
    before = runs.tasks.index(f"{small}.task")
    assert before < 25, f"{before} of 150 tasks went before it"
    assert (await end_of(swarm, large, timeout=30)).head.state == "done"


async def test_a_lane_that_nobody_serves_holds_one_task_of_each_request_and_drains_once_served(
    lab: Lab,
) -> None:
    await lab.coordinator(wide("wide", 10))
    swarm = await lab.door()
    one, other = await ask(swarm, "one", template="wide"), await ask(swarm, "other", template="wide")

    async def waits() -> bool:
        return [await states(swarm, r) for r in (one, other)] == [{"queued": 1}, {"queued": 1}]

    await wait_for_async(waits)
    runs = Runs()
    await lab.worker(executors(runs))
    for request in (one, other):
        assert (await end_of(swarm, request)).head.state == "done"
    assert len(runs.tasks) == 20


# --- priorities ---


async def fill(swarm: Swarm, number: int, priority: int) -> list[str]:
    """Put tasks on the lane `noop`; return their ids."""
    entry = Queued(by="test", demand="noop", priority=priority, reason="released")
    played = [
        await play_task(swarm, queued=entry.model_copy(update={"id": f"{priority}-{n}"}))
        for n in range(number)
    ]
    return [task.id for task in played]


async def test_a_critical_task_passes_a_full_queue(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    swarm = await lab.door()
    await lab.worker(executors(runs), slots=1)
    await fill(swarm, 1, 1)
    await runs.next()
    await fill(swarm, 30, 1)
    (critical,) = await fill(swarm, 1, 3)
    await asyncio.sleep(0.1)  # the worker learns of the new level while its slot is taken
    gate.open()
    await wait_for_async(lambda: len(runs.tasks) == 32)
    assert runs.tasks.index(critical) <= 2


async def test_low_priority_still_gets_its_turn_while_high_never_ends(lab: Lab) -> None:
    async def briefly(task: QueuedTask, context: Context) -> Result:
        await asyncio.sleep(0.01)
        return Result()

    runs = Runs(do=briefly)
    swarm = await lab.door()
    await lab.worker(executors(runs), slots=1)
    low = await fill(swarm, 1, 0)  # both levels are known to the worker before it matters
    await wait_for_async(lambda: runs.ended == low)
    await fill(swarm, 120, 2)
    low = await fill(swarm, 3, 0)
    came = len(runs.tasks)
    await wait_for_async(lambda: len(runs.tasks) == 124)
    waited = [runs.tasks.index(task) - came for task in low]
    assert max(waited) <= 3 * 8 + 8, f"every eighth scan goes low to high, they waited for {waited} others"
    assert came < 60


# --- who gets it ---


async def who_ran(swarm: Swarm, ids: list[str]) -> list[str]:
    found = []
    for task in ids:
        request, _, name = task.partition(".")
        started = [e for e in await entries(swarm, request, name) if isinstance(e, Started)]
        found += [entry.node for entry in started]
    return found


async def idle(swarm: Swarm, pulls: int) -> None:
    """Wait until the lane's consumer has that many pulls parked."""
    name = swarm.names.lane_consumer(lane_key(parse_demand("noop")), 1)

    async def parked() -> bool:
        info = await swarm.wire.api(f"CONSUMER.INFO.{swarm.names.tasks}.{name}")
        return int(info["num_waiting"]) == pulls

    await wait_for_async(parked)


async def test_specialist_first_then_who_names_it_then_the_generalist(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.lanes.ensure(parse_demand("noop"), 1)
    gate = Gate()
    for name, role, capabilities in (
        ("generalist", "worker", ["general"]),
        ("named", "worker", ["noop"]),
        ("specialist", "specialist", ["noop"]),
    ):
        await lab.worker(executors(Runs(do=gate)), name=name, role=role, capabilities=capabilities, slots=1)
    await idle(swarm, 3)
    ids = []
    for pulls in (2, 1, 0):
        ids += await fill(swarm, 1, 1)
        await idle(swarm, pulls)

    async def all_run() -> bool:
        return len(await who_ran(swarm, ids)) == 3

    await wait_for_async(all_run)
    assert await who_ran(swarm, ids) == ["specialist", "named", "generalist"]
    gate.open()


async def test_while_the_specialist_has_free_slots_it_gets_every_task(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.lanes.ensure(parse_demand("noop"), 1)
    await lab.worker(executors(Runs()), name="generalist", capabilities=["general"])
    await lab.worker(executors(Runs()), name="specialist", role="specialist")
    await idle(swarm, 2)
    for _ in range(10):
        ids = await fill(swarm, 1, 1)
        task = ids[0].partition(".")[0]

        async def ended(request: str = task) -> bool:
            return (await swarm.log.head(request, "task")).terminal

        await wait_for_async(ended)
        assert await who_ran(swarm, ids) == ["specialist"]
        await idle(swarm, 2)


async def test_a_node_with_a_narrower_capability_also_serves_the_broader_one(lab: Lab) -> None:
    runs = Runs("python")
    await lab.coordinator()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    assert (await end_of(swarm, await ask(swarm, demand="code"))).head.state == "done"
    assert len(runs.tasks) == 1


async def test_a_coordinator_that_was_given_capabilities_serves_tasks_itself(lab: Lab) -> None:
    runs = Runs()
    await lab.coordinator(capabilities=["noop"], executors=executors(runs))
    swarm = await lab.door()
    for number in range(8):  # the lanes of which it makes itself
        ended = await end_of(swarm, await ask(swarm, demand="noop", priority=number % 4))
        assert ended.head.state == "done"
    assert len(runs.tasks) == 8


async def test_a_coordinator_that_was_given_none_leaves_the_work_to_others(lab: Lab) -> None:
    mine, theirs = Runs(), Runs()
    await lab.coordinator(executors=executors(mine))
    await lab.worker(executors(theirs))
    swarm = await lab.door()
    for _ in range(5):
        assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"
    assert (len(mine.tasks), len(theirs.tasks)) == (0, 5)


# --- slots ---


async def test_slots_are_never_exceeded_under_a_burst(lab: Lab) -> None:
    async def briefly(task: QueuedTask, context: Context) -> Result:
        await asyncio.sleep(0.002)
        return Result()

    runs, more = Runs("noop", do=briefly), Runs("more", do=briefly)
    swarm = await lab.door()
    worker = await lab.worker(executors(runs, more), slots=3)
    over: list[int] = []
    watching = asyncio.create_task(_watch(lambda: runs.active + more.active, over))
    await asyncio.gather(*(fill(swarm, 25, priority) for priority in (0, 1, 2, 3)), *_others(swarm, 100))
    await wait_for_async(lambda: len(runs.ended) + len(more.ended) >= 200, 30)
    watching.cancel()
    assert len(runs.tasks) == 100, "each ran once"
    assert len(more.tasks) == 100
    assert max(over) <= 3
    assert runs.most <= 3
    assert not worker.task.done()


def _others(swarm: Swarm, number: int) -> list[Coroutine[Any, Any, Playing]]:
    return [play_task(swarm, demand="more") for _ in range(number)]


async def _watch(active: Callable[[], int], seen: list[int]) -> None:
    while True:
        seen.append(active())
        await asyncio.sleep(0)


async def test_a_slot_is_taken_until_the_job_has_really_ended(lab: Lab) -> None:
    """A job that takes its time to die keeps its slot: its thread or process may still run."""
    dying = asyncio.Event()

    async def stubborn(task: QueuedTask, context: Context) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            await dying.wait()
        return Result()

    runs = Runs(do=stubborn)
    swarm = await lab.door()
    await lab.worker(executors(runs), slots=1, drain=timedelta(milliseconds=200))
    first = await play_task(swarm, timeout_s=0.2)
    await runs.next()
    await play_task(swarm)
    await asyncio.sleep(0.6)
    assert runs.tasks == [first.id]
    dying.set()
    await runs.next()
    await first.until("queued", "started", "failed")
