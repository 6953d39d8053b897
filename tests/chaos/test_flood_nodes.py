"""A thousand nodes: what their heartbeats cost a coordinator, and that the work beside them goes on."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.figures import record
from picoclaw.tests.support.flood import usual_seconds
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.simulated_nodes import name_of
from picoclaw.tests.support.swarm import Lab, lab_on
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(120)]

HID = "many"
INTERVAL = 1.0
"""Seconds between two heartbeats of a node: ten times as often as by default."""


@asynccontextmanager
async def simulated(lab: Lab, nodes: int) -> AsyncIterator[asyncio.StreamReader]:
    """So many nodes for a block; the reader gives a line for each round of their heartbeats."""
    facts = {"url": lab.nats.urls[0], "hid": lab.hid, "nodes": nodes, "interval": INTERVAL}
    argv = [sys.executable, "-m", "picoclaw.tests.support.simulated_nodes", json.dumps(facts)]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.communicate()


async def rounds(lines: asyncio.StreamReader, number: int) -> None:
    async with asyncio.timeout(60):
        for _ in range(number):
            assert await lines.readline()


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def online(swarm: Swarm, nodes: int) -> int:
    await swarm.read_members()
    return sum(1 for number in range(nodes) if swarm.members.status(name_of(number)) == "online")


@pytest.mark.parametrize(("nodes", "measured"), [(100, 3), (1_000, 15)])
async def test_heartbeats_of_many_nodes_cost_a_coordinator_little_and_delay_no_work(
    start_nats: StartNats, tmp_path: Path, nodes: int, measured: int
) -> None:
    async with lab_on(start_nats().url, tmp_path, hid=HID, clean=False) as lab:
        door = await lab.door()
        started = await asyncio.gather(
            ChildNode.start(lab, "coordinator", "lead", quiet=True, node_timeout=5),
            ChildNode.start(lab, "worker", "hand", quiet=True, node_timeout=5),
        )
        lead = psutil.Process(started[0].process.pid)
        try:
            lone = await usual_seconds(door, 5)
            idle_from, idle_cpu, small = asyncio.get_running_loop().time(), cpu(lead), lead.memory_info().rss
            await asyncio.sleep(2)
            idle = (cpu(lead) - idle_cpu) / (asyncio.get_running_loop().time() - idle_from)
            async with simulated(lab, nodes) as lines:
                await rounds(lines, 1)
                await wait_for_async(lambda: _all(door, nodes), 20, f"{nodes} nodes online")
                began, used = asyncio.get_running_loop().time(), cpu(lead)
                await rounds(lines, measured)
                seconds, spent = asyncio.get_running_loop().time() - began, cpu(lead) - used
                beside = await usual_seconds(door, 5)
                grown = lead.memory_info().rss - small
                assert await online(door, nodes) == nodes
        finally:
            for node in started:
                await node.kill()

    per_1000 = max(0.0, spent - idle * seconds) / (nodes * measured) * 1000
    print(
        f"\nnodes: {nodes:,} nodes at {nodes * measured / seconds:,.0f} heartbeats/s cost the coordinator "
        f"{per_1000 * 1000:.0f} ms of CPU per 1,000 heartbeats ({spent / seconds:.0%} of a core in all) and "
        f"{grown / 1e6:.1f} MB; a small request takes {lone * 1000:.0f} ms without them, {beside * 1000:.0f} ms with"
    )
    record(f"coordinator CPU per 1,000 heartbeats, {nodes:,} nodes", per_1000 * 1000, "ms")
    assert per_1000 < 1.0
    assert grown < 20e6 + nodes * 20e3
    assert beside < 10 * lone + 1.0


async def _all(swarm: Swarm, nodes: int) -> bool:
    return await online(swarm, nodes) == nodes
