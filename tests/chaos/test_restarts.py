"""Restart: every process in turn under load, the server with and without its store, and for a long while."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from picoclaw.errors import RequestLost
from picoclaw.swarm.entries import Started
from picoclaw.swarm.submission import wait
from picoclaw.tests.checker.collect import read_jobs
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.figures import figure, record
from picoclaw.tests.support.fleet import FAST, Fleet, fleet_on
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

LEADS, HANDS = ("c1", "c2"), ("w1", "w2")


@pytest.fixture
async def fleet(
    start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, home: Path, tmp_path: Path
) -> AsyncIterator[Fleet]:
    async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
        yield fleet


async def load(fleet: Fleet, stop: asyncio.Event) -> list[str]:
    """Hand in a request of three tasks again and again, and follow each to its end; return their states."""
    ended: list[str] = []
    while not stop.is_set():
        request = await fleet.ask(3, seconds=0.2)
        ended.append((await fleet.end(request, 60)).head.state)
    return ended


async def roll(fleet: Fleet, *names: str) -> None:
    """Restart nodes in turn, each in order, and wait until it serves before the next goes."""
    for name in names:
        fleet.nodes[name].signal(signal.SIGTERM)
        assert await fleet.nodes[name].wait_async(20) == 0, fleet.nodes[name].output
        fleet.again(name)
        await fleet.serving(name)


@pytest.mark.long
async def test_every_process_restarted_in_turn_under_load_no_request_fails(fleet: Fleet) -> None:
    await fleet.start(*(("coordinator", name) for name in LEADS), *(("worker", name) for name in HANDS))
    stop = asyncio.Event()
    clients = [asyncio.create_task(load(fleet, stop)) for _ in range(3)]
    await roll(fleet, *LEADS, *HANDS)
    await asyncio.to_thread(fleet.server.restart)
    await roll(fleet, *HANDS, *LEADS)
    stop.set()
    states = [state for states in await asyncio.gather(*clients) for state in states]
    assert states
    assert set(states) == {"done"}
    await fleet.settled()
    record("requests ended during a rolling restart", len(states), "requests")


async def test_a_server_that_comes_back_without_its_store_is_told_to_whoever_waits_and_nodes_rejoin(
    fleet: Fleet,
) -> None:
    await fleet.start(("coordinator", "c1"), ("worker", "w1"), relayed=False)
    request = await fleet.ask(seconds=30)
    waiting = asyncio.create_task(wait(fleet.swarm, request, limit=timedelta(seconds=60)))

    async def begun() -> bool:
        return (await fleet.swarm.log.head(request, "task")).state == "running"

    await wait_for_async(begun, 20, "the task runs")
    fleet.server.kill()
    shutil.rmtree(fleet.server.store)
    fleet.handed_in.clear()
    with figure("server back without its store, clients told"):
        await asyncio.to_thread(fleet.server.restart)
        with pytest.raises(RequestLost, match="send the request again"):
            await waiting

    with figure("server back without its store, first request done"):
        later = await fleet.ask()
        assert (await fleet.end(later, 40)).head.state == "done"
    fleet.records.unlink()  # the store that explained what ran before is gone
    assert all(node.running for node in fleet.nodes.values())


@pytest.mark.long
async def test_a_client_in_another_process_is_told_that_its_request_is_gone(
    fleet: Fleet, spawn_picoclaw: SpawnPicoclaw
) -> None:
    """Nobody is there who makes the streams anew."""
    await fleet.start(("coordinator", "c1"), relayed=False)
    request = await fleet.ask()
    door = spawn_picoclaw("watch", request, "--swarm.hid", "fleet", "--swarm.nats.urls", fleet.server.url)
    await door.expect_async("waits|queued|accepted")
    fleet.kill("c1")
    fleet.server.kill()
    shutil.rmtree(fleet.server.store)
    await fleet.lab.close(clean=False)
    await asyncio.to_thread(fleet.server.restart)
    await door.expect_async("send the request again", 30)
    assert await door.wait_async() == 1


EARLIER = "31f954b"
"""The last commit before retry policies, broadcasts and schedules came into the records."""
HERE = Path(__file__).parents[2]


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder from which Python imports the earlier version."""
    tree = tmp_path / "earlier" / "picoclaw"
    tree.mkdir(parents=True)
    git = ("git", "-C", str(HERE))
    found = subprocess.run([*git, "cat-file", "-e", EARLIER], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"the history of this copy does not reach back to {EARLIER}")
    packed = subprocess.run([*git, "archive", EARLIER], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(tree)], input=packed.stdout, check=True)
    return tree.parent


@pytest.mark.long
async def test_nodes_of_an_earlier_version_are_replaced_one_by_one_under_load_and_no_request_fails(
    fleet: Fleet, earlier: Path
) -> None:
    nodes = [*(("coordinator", name) for name in LEADS), *(("worker", name) for name in HANDS)]
    for role, name in nodes:
        fleet.begin(role, name, relayed=False, env={"PYTHONPATH": str(earlier)})
    await fleet.serving(*LEADS, *HANDS)
    stop = asyncio.Event()
    clients = [asyncio.create_task(load(fleet, stop)) for _ in range(2)]
    await roll(fleet, HANDS[0], LEADS[0], HANDS[1], LEADS[1])
    stop.set()
    states = [state for states in await asyncio.gather(*clients) for state in states]
    assert states
    assert set(states) == {"done"}
    await fleet.settled()


@pytest.mark.long
async def test_a_server_away_for_twice_the_ack_wait_causes_no_wave_of_second_runs(fleet: Fleet) -> None:
    await fleet.start(
        ("coordinator", "c1"),
        ("worker", "w1"),
        ("worker", "w2"),
        slots=4,
        relayed=False,
    )
    request = await fleet.ask(8, seconds=14)

    async def all_begun() -> bool:
        return len(read_jobs(fleet.records)) == 8

    await wait_for_async(all_begun, 30, "all eight run")
    fleet.server.kill()
    await asyncio.sleep(2 * float(FAST["--swarm.nats.ack_wait"].removesuffix("s")))
    await asyncio.to_thread(fleet.server.restart)
    assert (await fleet.end(request, 60)).head.state == "done"
    history = await fleet.settled()
    again = [w for w in history.log if isinstance(w.entry, Started) and w.entry.attempt > 1]
    assert not again, [written.name for written in again]
