"""Floods of requests: small ones pass a large one, urgent ones a full queue, low ones end, none is lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.figures import record
from picoclaw.tests.support.flood import all_ended, flood, seconds_of, under_way, usual_seconds
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.steady_load import Outcome, outcome
from picoclaw.tests.support.swarm import Lab, ask, end_of, in_queue, lab_on
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

PAUSE = 0.02
"""Seconds that each job takes."""
SLOTS = 8


class Scene:
    """A coordinator, workers and a door, and the end of every process with the test."""

    def __init__(self, lab: Lab, door: Swarm) -> None:
        self.lab = lab
        self.door = door
        self.nodes: list[ChildNode] = []

    async def start(self, coordinators: int = 1, workers: int = 2, **more: Any) -> None:
        """Start them all at once; `more` is said of the workers."""
        options: dict[str, Any] = {"slots": SLOTS, "pause": PAUSE} | more
        started = [self._start("coordinator", f"lead-{index}") for index in range(coordinators)]
        started += [self._start("worker", f"hand-{index}", **options) for index in range(workers)]
        self.nodes += await asyncio.gather(*started)

    async def _start(self, role: str, name: str, **more: Any) -> ChildNode:
        # A busy machine is no dead node: who is silent for a second is not to lose its tasks here.
        return await ChildNode.start(self.lab, role, name, quiet=True, node_timeout=10, **more)

    async def sound(self, requests: int) -> Outcome:
        """Look at the whole log: each request and task has ended once."""
        found = await outcome(self.door)
        assert (found.requests, found.lost, found.doubled) == (requests, (), ())
        return found


@pytest.fixture
async def scene(start_nats: StartNats, tmp_path: Path) -> AsyncIterator[Scene]:
    async with lab_on(start_nats().url, tmp_path, hid="flood", clean=False) as lab:
        scene = Scene(lab, await lab.door())
        try:
            yield scene
        finally:
            for node in scene.nodes:
                await node.kill()


@pytest.mark.parametrize(
    ("tasks", "pause"),
    [
        pytest.param(800, PAUSE, id="800"),
        pytest.param(20_000, 0.005, id="20000", marks=[pytest.mark.long, pytest.mark.timeout(400)]),
    ],
)
async def test_small_urgent_and_low_requests_beside_a_large_one_end_in_near_their_lone_time(
    scene: Scene, tasks: int, pause: float
) -> None:
    await scene.start(pause=pause)
    lone = await usual_seconds(scene.door, 5)

    began = time.monotonic()
    large = await flood(scene.door, tasks)
    await under_way(scene.door, large)
    beside = await usual_seconds(scene.door, 5)
    low = await ask(scene.door, demand="noop", priority=0)
    urgent = await usual_seconds(scene.door, 3, priority=3)
    assert (await end_of(scene.door, low, 60)).head.state == "done"
    assert not (await scene.door.log.request_head(large)).terminal
    assert await all_ended(scene.door, [large], 300) == ["done"]
    seconds = time.monotonic() - began

    print(
        f"\nflood: {tasks:,} tasks in {seconds:.1f} s ({tasks / seconds:,.0f}/s); a small request takes "
        f"{lone * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside them, {urgent * 1000:.0f} ms if urgent"
    )
    record(f"flood: a small request beside {tasks:,} tasks", beside)
    record("flood: a small request alone", lone)
    # What waits in the lane before it is two jobs for each slot, however many are planned.
    assert beside < 10 * lone + 1.0
    assert urgent < 10 * lone + 1.0
    found = await scene.sound(requests=15)
    assert found.second_runs == 0
    assert sum(found.ends.values()) == tasks + 15 + 14


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("tasks", [150, 5_000])
async def test_priority_3_passes_a_full_queue_and_priority_0_still_ends_beside_it(
    scene: Scene, tasks: int
) -> None:
    await scene.start(workers=1, slots=2)
    usual = await flood(scene.door, tasks, priority=1)
    await under_way(scene.door, usual, tasks=5)
    low = await ask(scene.door, demand="noop", priority=0)

    critical = [await seconds_of(scene.door, priority=3) for _ in range(5)]
    low_ended = await end_of(scene.door, low, 60)
    # Both while the full queue goes on.
    assert not (await scene.door.log.request_head(usual)).terminal
    assert low_ended.head.state == "done"
    assert await all_ended(scene.door, [usual], 300) == ["done"]

    print(
        f"\nflood: priority 3 passes {tasks:,} queued tasks in {sorted(critical)[2] * 1000:.0f} ms (median of 5)"
    )
    assert sorted(critical)[2] < 2.0
    await scene.sound(requests=7)


@pytest.mark.long
@pytest.mark.parametrize("number", [200, 1_000])
async def test_many_requests_at_once_all_end(scene: Scene, number: int) -> None:
    await scene.start(coordinators=2)
    began = time.monotonic()

    requests = await asyncio.gather(*(ask(scene.door, demand="noop") for _ in range(number)))
    accepted = time.monotonic() - began
    states = await all_ended(scene.door, list(requests), 50)

    seconds = time.monotonic() - began
    print(f"\nflood: {number} requests at once taken in {accepted:.1f} s, ended in {seconds:.1f} s")
    assert states == ["done"] * number
    await scene.sound(requests=number)


@pytest.mark.long
@pytest.mark.parametrize("tasks", [200, 5_000])
async def test_a_lane_that_nobody_serves_waits_and_goes_on_when_a_node_comes(
    scene: Scene, tasks: int
) -> None:
    await scene.start(workers=0)
    requests = [await flood(scene.door, tasks), await ask(scene.door, demand="noop")]

    async def stand_there() -> bool:
        return await in_queue(scene.door) == 2

    # One of each request stands there to show why; the rest stays in the plan.
    await wait_for_async(stand_there, 20, "two messages in the lane")
    subjects = await scene.door.log.heads(requests[0])
    assert len(subjects) == 2
    await scene.start(coordinators=0)

    assert await all_ended(scene.door, requests, 50) == ["done", "done"]
    await scene.sound(requests=2)


@pytest.mark.long
@pytest.mark.parametrize("megabytes", [10, 30])
async def test_results_of_many_megabytes_arrive_whole(scene: Scene, megabytes: int) -> None:
    size = megabytes * 1_000_000
    await scene.start(workers=1, slots=2, size=size)
    began = time.monotonic()

    requests = [await ask(scene.door, demand="noop") for _ in range(3)]
    ended = await asyncio.gather(*(end_of(scene.door, request, 50) for request in requests))

    print(f"\nflood: three results of {megabytes} MB in {time.monotonic() - began:.1f} s")
    for one in ended:
        assert one.head.state == "done"
        assert one.result is not None
        assert "x" * size in str(one.result.data)
    await scene.sound(requests=3)
