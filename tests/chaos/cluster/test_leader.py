"""Three servers, three copies: the server that leads a stream is killed under load, and nothing is lost."""

import time
from pathlib import Path

import pytest

from picoclaw.tests.support.cluster import HID, STARTED, Cluster
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.figures import record
from picoclaw.tests.support.nodes import Nodes
from picoclaw.tests.support.steady_load import SteadyLoad, define
from picoclaw.tests.support.swarm import Lab

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

ELECTION = 30.0
"""Seconds for a new leader and all that hangs on it; the server's own election takes 4 to 9 of them."""


@pytest.fixture
def nodes(cluster: Cluster, spawn_picoclaw: SpawnPicoclaw, home: Path) -> list[Spawned]:
    define(home)
    return Nodes(spawn_picoclaw, "--swarm.hid", HID, *cluster.connection).start(
        cluster.node("coordinator", "lead"),
        cluster.node("coordinator", "second"),
        cluster.node("worker", "one", "noop"),
        cluster.node("worker", "two", "noop"),
        timeout=STARTED,
    )


@pytest.mark.timeout(600)
@pytest.mark.long  # one server of three dies in tests/integration/test_cluster.py too
@pytest.mark.parametrize("kills", [10])
async def test_whichever_server_is_killed_again_and_again_nothing_is_lost_and_all_come_back(
    cluster: Cluster, nodes: list[Spawned], lab: Lab, kills: int
) -> None:
    """The leader of the log, of the queue, of the inbox and of the heartbeats by turns."""
    swarm = await lab.door(make=False)
    names = swarm.names
    taken = []
    async with SteadyLoad(swarm) as load:
        for number in range(kills):
            await load.flowing(min(20, 5 * kills), 60)
            stream = (names.log, names.tasks, names.requests, names.members)[number % 4]
            leader = await cluster.leader(swarm, stream)
            killed = time.monotonic()
            cluster.servers[leader].kill()
            await load.flowing(5, 60)
            taken.append(load.gap(killed))
            record("cluster: leader killed -9, until a request is taken", taken[-1])
            record("cluster: leader killed -9, until one has ended", load.first_end(killed))
            cluster.servers[leader].start()
            await cluster.whole(swarm)
    found = await load.nothing_lost()
    assert set(found.ends) == {"done"}
    assert max(taken) < ELECTION
    assert all(node.running for node in nodes)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_leader_that_hangs_and_thaws_changes_nothing(
    cluster: Cluster, nodes: list[Spawned], lab: Lab
) -> None:
    """It comes back believing that it leads: what it says until it knows better must decide nothing."""
    swarm = await lab.door(make=False)
    names = swarm.names
    taken = []
    async with SteadyLoad(swarm) as load:
        for stream in (names.log, names.tasks, names.log, names.members):
            await load.flowing(20, 60)
            leader = await cluster.leader(swarm, stream)
            frozen = time.monotonic()
            cluster.servers[leader].freeze()
            await load.flowing(5, 60)
            taken.append(load.gap(frozen))
            record("cluster: leader frozen, until a request is taken", taken[-1])
            cluster.servers[leader].thaw()
            await cluster.whole(swarm)
    found = await load.nothing_lost()
    assert set(found.ends) == {"done"}
    assert max(taken) < ELECTION
    assert all(node.running for node in nodes)
