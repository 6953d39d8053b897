"""kill -9 at random under load, zombies, and a consumer deleted behind our back: nothing is lost or doubled."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from picoclaw.swarm.demand import parse_demand
from picoclaw.swarm.entries import Done, Started
from picoclaw.swarm.lanes import lane_key
from picoclaw.swarm.subjects import REQUEST_STEP
from picoclaw.tests.checker import History
from picoclaw.tests.checker.collect import read_jobs
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fault_points import writes
from picoclaw.tests.support.figures import figure, record
from picoclaw.tests.support.fleet import FAST, Fleet, fleet_on
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

LEADS, HANDS = ("c1", "c2"), ("w1", "w2", "w3", "w4")
ACK_WAIT = float(FAST["--swarm.nats.ack_wait"].removesuffix("s"))
ATTEMPTS = 20
"""More than any task may lose to kills: none is to end dead."""


@pytest.fixture
async def fleet(
    start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, home: Path, tmp_path: Path
) -> AsyncIterator[Fleet]:
    async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
        yield fleet


def lost_and_doubled(history: History, tasks: int) -> tuple[int, int]:
    """Return how many tasks did not end done, and how many ended so more than once."""
    ends = [
        written.name
        for written in history.log
        if written.step != REQUEST_STEP and isinstance(written.entry, Done)
    ]
    return tasks - len(set(ends)), len(ends) - len(set(ends))


async def harm_at_random(
    fleet: Fleet, dice: random.Random, until: asyncio.Task[None], killed: list[str], *, server: bool
) -> None:
    """Kill now one, now another, and start it again; `killed` is who was."""
    while not until.done():
        await asyncio.wait({until}, timeout=dice.uniform(0.2, 2))
        if until.done():
            break
        if server and dice.random() < 0.15:
            fleet.kill_server()
            killed.append("server")
        else:
            killed.append(dice.choice(sorted(fleet.nodes)))
            fleet.kill(killed[-1])
        await asyncio.wait({until}, timeout=dice.uniform(0, 1))
        await fleet.back()


async def through_kills(
    fleet: Fleet, *, hands: int, requests: int, tasks: int, kills: int, seed: int, server: bool
) -> None:
    """At least so many requests, and more of them until there were so many kills."""
    print(f"seed {seed}")
    workers = HANDS[:hands]
    await fleet.start(*(("coordinator", name) for name in LEADS), *(("worker", name) for name in workers))
    begun = time.monotonic()
    for _ in range(requests):
        await fleet.ask(tasks, seconds=0.1, max_attempts=ATTEMPTS)
    killed: list[str] = []

    async def all_end() -> None:
        for request in fleet.handed_in:
            ended = await fleet.end(request, 600)
            assert ended.head.state == "done", ended.head
            if len(killed) < kills and request == fleet.handed_in[-1]:
                await fleet.ask(tasks, seconds=0.1, max_attempts=ATTEMPTS)

    ending = asyncio.create_task(all_end())
    await harm_at_random(fleet, random.Random(seed), ending, killed, server=server)
    await ending
    history = await fleet.settled(60)
    lost, doubled = lost_and_doubled(history, len(fleet.handed_in) * tasks)
    assert (lost, doubled) == (0, 0)
    assert len(killed) >= kills
    name = f"{requests * tasks} tasks or more through random kills"
    record(f"{name}: time", time.monotonic() - begun)
    record(f"{name}: kills", len(killed), "kills")
    record(f"{name}: lost", lost, "tasks")
    record(f"{name}: doubled", doubled, "tasks")


@pytest.mark.long
async def test_thirty_tasks_through_random_kills_none_lost_none_doubled(fleet: Fleet) -> None:
    await through_kills(fleet, hands=2, requests=2, tasks=15, kills=3, seed=5, server=False)


@pytest.mark.long
async def test_a_thousand_tasks_through_random_kills_none_lost_none_doubled(fleet: Fleet) -> None:
    await through_kills(fleet, hands=4, requests=10, tasks=100, kills=20, seed=6, server=True)


async def holder(fleet: Fleet, request: str) -> str:
    """Wait until a job of a request runs, and return on which node."""

    async def running() -> str:
        return next((job.node for job in read_jobs(fleet.records) if job.task.startswith(request)), "")

    return await wait_for_async(running, 20, f"a job of {request}")


@pytest.mark.long
async def test_a_worker_stopped_for_longer_than_the_ack_wait_is_fenced_when_it_goes_on(fleet: Fleet) -> None:
    await fleet.start(("coordinator", "c1"), ("worker", "w1"), ("worker", "w2"))
    point = fleet.point(
        writes("log", entry="done", of="task"), "before", fleet.stop, among=("w1", "w2"), then="pass"
    )
    request = await fleet.ask(seconds=0.2)
    zombie = (await point.wait_async()).via
    # The link passes on what it had sent: its `done` counts, unless somebody was faster.
    with figure("SIGSTOP of a worker"):
        assert (await fleet.end(request)).head.state == "done"

    fleet.cont(zombie)
    later = await fleet.ask(seconds=1.5)
    zombie = await holder(fleet, later)
    fleet.stop(zombie)
    with figure("SIGSTOP of a worker that holds a task"):
        assert (await fleet.end(later)).head.state == "done"
    await asyncio.sleep(ACK_WAIT + 0.5)  # past the ack wait: this is what is tried
    fleet.cont(zombie)
    await asyncio.to_thread(fleet.nodes[zombie].expect, "was fenced and stopped", 20)
    history = await fleet.settled()
    starts = [w.entry for w in history.log if w.request == later and isinstance(w.entry, Started)]
    assert [entry.attempt for entry in starts] == [1, 2]
    assert starts[0].node == zombie
    assert fleet.nodes[zombie].running


@pytest.mark.long
async def test_a_consumer_deleted_behind_our_back_is_made_again_and_nothing_is_stuck(fleet: Fleet) -> None:
    await fleet.start(("coordinator", "c1"), ("worker", "w1"), relayed=False)
    assert (await fleet.end(await fleet.ask())).head.state == "done"
    names = fleet.swarm.names
    lane = names.lane_consumer(lane_key(parse_demand("job")), 1)
    for stream, consumer in ((names.tasks, lane), (names.requests, names.inbox_consumer(1))):
        running = await fleet.ask(6, seconds=0.5)

        async def begun() -> bool:
            return any(isinstance(written.entry, Started) for written in (await fleet.history()).log)

        await wait_for_async(begun, 20)
        await fleet.swarm.wire.api(f"CONSUMER.DELETE.{stream}.{consumer}")
        with figure("consumer deleted"):
            later = await fleet.ask()
            assert (await fleet.end(later)).head.state == "done"
            assert (await fleet.end(running)).head.state == "done"
    await fleet.settled()
