"""A server of three is lost for good and another takes its place: every stream has three copies again."""

import time
from pathlib import Path

import pytest

from picoclaw.tests.support.cluster import HID, STARTED, Cluster
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.figures import record
from picoclaw.tests.support.nodes import Nodes
from picoclaw.tests.support.steady_load import SteadyLoad, define
from picoclaw.tests.support.swarm import Lab

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def nodes(cluster: Cluster, spawn_picoclaw: SpawnPicoclaw, home: Path) -> list[Spawned]:
    define(home)
    return Nodes(spawn_picoclaw, "--swarm.hid", HID, *cluster.connection).start(
        cluster.node("coordinator", "lead"),
        cluster.node("coordinator", "second"),
        cluster.node("worker", "one", "noop"),
        cluster.node("worker", "two", "noop"),
        cluster.node("worker", "three", "noop"),
        timeout=STARTED,
    )


@pytest.mark.parametrize("order", ["added_then_removed", "removed_then_added"])
async def test_a_server_is_replaced_under_load(
    cluster: Cluster, nodes: list[Spawned], lab: Lab, order: str
) -> None:
    swarm = await lab.door(make=False)
    async with SteadyLoad(swarm) as load:
        await load.flowing(10)
        gone = await cluster.leader(swarm, swarm.names.log)
        cluster.servers[gone].kill()
        lost = time.monotonic()
        await load.flowing(5)
        if order == "added_then_removed":
            cluster.add("n3")
        await cluster.remove(gone)
        if order == "removed_then_added":
            await load.flowing(5)
            cluster.add("n3")
        await cluster.whole(swarm, 120)
        record(f"cluster: server {order}, until three copies again", time.monotonic() - lost)
        await load.flowing(10)
        group = await cluster.group(swarm, swarm.names.log)
    found = await load.nothing_lost()
    assert {group["leader"], *(copy["name"] for copy in group["replicas"])} == {*cluster.running}
    assert set(found.ends) == {"done"}
    assert all(node.running for node in nodes)
