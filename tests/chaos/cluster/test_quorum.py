"""A leader is killed, then the quorum with it: nothing is lost, nobody is declared dead, and then all goes on."""

import asyncio
import time
from pathlib import Path

import pytest

from picoclaw.swarm.entries import Started
from picoclaw.tests.support.cluster import HID, STARTED, Cluster
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.figures import record
from picoclaw.tests.support.nodes import Nodes, events, log_lines, may_judge
from picoclaw.tests.support.steady_load import SteadyLoad, define
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, entries, kinds
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

CLEAR = "most of its servers"
ELECTION = 15.0
"""Seconds for a new leader and all that hangs on it; the server's own election takes 4 to 9 of them."""
REGAINED = 15.0
"""Seconds after the servers came back within which a new request is taken."""


@pytest.fixture
def nodes(cluster: Cluster, spawn_picoclaw: SpawnPicoclaw, home: Path) -> Nodes:
    define(home)
    return Nodes(spawn_picoclaw, "--swarm.hid", HID, *cluster.connection)


@pytest.mark.long
@pytest.mark.parametrize(
    "seconds",
    [5.0, pytest.param(40.0, marks=[pytest.mark.timeout(240)])],
    ids=["longer_than_the_node_timeout", "longer_than_the_ack_wait"],
)
async def test_a_leader_killed_and_then_a_quorum_lost_and_regained_cost_no_request_and_no_attempt(
    cluster: Cluster, nodes: Nodes, lab: Lab, seconds: float
) -> None:
    running = nodes.start(
        cluster.node("coordinator", "lead"),
        cluster.node("coordinator", "second"),
        cluster.node("worker", "one", "noop", "slow"),
        cluster.node("worker", "two", "noop", "slow"),
        timeout=STARTED,
    )
    swarm = await lab.door(make=False)
    await may_judge(swarm, "lead")
    async with SteadyLoad(swarm) as load:
        await load.flowing(5)
        lost = [await cluster.leader(swarm, swarm.names.log)]
        killed = time.monotonic()
        cluster.servers[lost[0]].kill()
        await load.flowing(5)
        assert load.gap(killed) < ELECTION
        record("cluster: leader killed -9, until a request is taken", load.gap(killed))
        slow = await ask(swarm, str(seconds + 4), demand="slow")

        async def held() -> bool:
            return await kinds(swarm, slow, STEP) == ["queued", "started"]

        await wait_for_async(held, 2 * ELECTION)  # a lane that is new to the two servers that are left
        lost.append(next(name for name in cluster.servers if name not in lost))
        cluster.servers[lost[1]].kill()
        # A door that comes now: a clear word, or the request's end if it waited long enough.
        door = nodes.begin_dispatch("now", "--capability", "noop")
        await asyncio.sleep(seconds)  # an outage has no event to wait for
        back = time.monotonic()
        for name in lost:
            cluster.servers[name].start()
        await load.flowing(5, 60)
    record("cluster: quorum regained, until a request is taken", load.gap(back))
    record("cluster: quorum regained, until one has ended", load.first_end(back))
    assert (await end_of(swarm, slow, 60)).head.state == "done"
    code = await door.wait_async(60)
    assert code == 0 or (code in (1, 3) and CLEAR in door.output), door.output
    found = await load.nothing_lost()
    assert set(found.ends) == {"done"}
    assert load.gap(back) < REGAINED
    for node in running:
        assert node.running
        assert not events(log_lines(node), "Node marked offline"), "who hears nobody declares nobody dead"
    starts = [entry for entry in await entries(swarm, slow, STEP) if isinstance(entry, Started)]
    assert len(starts) == 1, "a live holder was fenced"
