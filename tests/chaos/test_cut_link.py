"""A link is cut and healed, one way and both ways, between worker and server and between coordinator and server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.cut_off import CutOff, begin_slow, cut_observer, cut_off, cut_worker, log_of
from picoclaw.tests.support.figures import figure, record
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import may_judge
from picoclaw.tests.support.relay import Way
from picoclaw.tests.support.steady_load import SteadyLoad
from picoclaw.tests.support.swarm import ask, end_of, entries
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

WAYS: tuple[Way, ...] = ("both", "up", "down")
WITHIN = 3.0 + 1.0 + 1.0 + 2.0
"""Seconds: the node timeout and one more, a heartbeat's age, and what a busy machine takes."""
LONGER = 4.5
"""Seconds of a cut: longer than the node timeout of 3 s."""


@pytest.fixture
def field(start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, home: Path) -> Iterator[CutOff]:
    with cut_off(start_nats(), spawn_picoclaw, home) as field:
        field.start(("coordinator", "lead"), ("worker", "one"), ("worker", "two"))
        yield field


@pytest.fixture
async def swarm(field: CutOff, tmp_path: Path) -> AsyncIterator[Swarm]:
    async with field.door(tmp_path / "door") as swarm:
        await may_judge(swarm, "lead")
        yield swarm


@pytest.mark.long
async def test_workers_cut_off_lose_their_task_once_and_a_coordinator_cut_off_declares_nobody_dead(
    field: CutOff, swarm: Swarm
) -> None:
    async with SteadyLoad(swarm, hands=1, ahead=2) as load:
        await cut_worker(field, swarm, load, "both")
        await cut_worker(field, swarm, load, "up")
        await cut_observer(field, swarm, "lead", "both", seconds=LONGER)
        await load.flowing(5)
    found = await load.nothing_lost()
    assert set(found.ends) == {"done"}
    assert field.all_run()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_worker_is_cut_off_each_way_again_and_again(field: CutOff, swarm: Swarm) -> None:
    async with SteadyLoad(swarm) as load:
        for reset in (False, True, False, True):
            for way in WAYS:
                taken = await cut_worker(field, swarm, load, way, reset=reset)
                assert taken < WITHIN
    found = await load.nothing_lost()
    assert set(found.ends) == {"done"}
    assert field.all_run()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_only_coordinator_is_cut_off_each_way_and_fences_no_live_worker(
    field: CutOff, swarm: Swarm
) -> None:
    async with SteadyLoad(swarm) as load:
        for reset in (False, True):
            for way in WAYS:
                await load.flowing(5)
                await cut_observer(field, swarm, "lead", way, seconds=8, reset=reset)
        # Longer than the ack wait: everything is delivered again at once, and nobody's heartbeat is there.
        await cut_observer(field, swarm, "lead", "both", seconds=40)
    found = await load.nothing_lost()
    assert set(found.ends) == {"done"}
    assert field.all_run()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
async def test_a_coordinator_that_was_cut_off_finds_its_requests_with_another_and_changes_nothing(
    field: CutOff, swarm: Swarm, way: Way
) -> None:
    field.start(("coordinator", "second"))
    await may_judge(swarm, "second")
    async with SteadyLoad(swarm) as load:
        await load.flowing(5)
        request, _ = await begin_slow(swarm, 12)
        owner = str((await swarm.log.request_head(request)).owner)
        field.links[owner].blackhole(way)

        async def passed_on() -> bool:
            return (await swarm.log.request_head(request)).owner not in ("", owner)

        await wait_for_async(passed_on, 20, "another coordinator owns the request")
        field.links[owner].heal()
        assert (await end_of(swarm, request, 40)).head.state == "done"
        await load.flowing(10)
    found = await load.nothing_lost()
    assert set(found.ends) == {"done"}
    assert [entry.kind for entry in await entries(swarm, request)].count("owner") == 1
    assert await log_of(swarm, request) == ["queued", "started", "done"]
    assert field.all_run()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_with_200_ms_each_way_and_loss_every_request_ends_and_nobody_is_taken_for_dead(
    field: CutOff, swarm: Swarm
) -> None:
    for relay in field.links.values():
        relay.slow("both", latency=0.2, jitter=0.05)
    for _ in range(5):
        with figure("200 ms each way: a request alone"):
            assert (await end_of(swarm, await ask(swarm, demand="noop"), 30)).head.state == "done"
    async with SteadyLoad(swarm, hands=8, ahead=24) as load:
        await load.flowing(60, 120)
        for seconds in load.spans():
            record("200 ms each way: a request among 24", seconds)
        for relay in field.links.values():
            relay.lossy("both", loss=0.02, stall=0.4)
        await load.flowing(60, 120)
        assert not any(field.marked_offline(name) for name in field.running), "latency is no death"
        for relay in field.links.values():
            relay.lossy("both", loss=0.02, stall=0.4, reset=0.001)
        await load.flowing(60, 120)
    found = await load.nothing_lost(120)
    assert set(found.ends) == {"done"}
    assert field.all_run()
