"""The same cuts by the kernel: each node stands in a network namespace, and its wire or its way is taken away."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.cut_off import HID, begin_slow, log_of
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.network import Machines, machines, why_no_namespace
from picoclaw.tests.support.nodes import Nodes, look, may_judge, serving
from picoclaw.tests.support.steady_load import SteadyLoad, define
from picoclaw.tests.support.swarm import end_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_no_namespace()), reason=why_no_namespace() or "-"),
]

PLACES = {"lead": 2, "one": 3, "two": 4}
"""Machine of each node; the server and the test stand on the first, which holds the switch."""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def no_wire(net: Machines, node: str) -> Iterator[None]:
    """Nothing passes, either way."""
    with net.on(1):
        ip("link", "set", f"port{PLACES[node]}", "down")
    try:
        yield
    finally:
        with net.on(1):
            ip("link", "set", f"port{PLACES[node]}", "up")


@contextmanager
def no_way_up(net: Machines, node: str) -> Iterator[None]:
    """Nothing passes from the node to the server."""
    with net.on(PLACES[node]):
        ip("route", "add", "blackhole", f"{net.address(1)}/32")
    try:
        yield
    finally:
        with net.on(PLACES[node]):
            ip("route", "del", "blackhole", f"{net.address(1)}/32")


@contextmanager
def no_way_down(net: Machines, node: str) -> Iterator[None]:
    """Nothing passes from the server to the node."""
    with net.on(1):
        ip("route", "add", "blackhole", f"{net.address(PLACES[node])}/32")
    try:
        yield
    finally:
        with net.on(1):
            ip("route", "del", "blackhole", f"{net.address(PLACES[node])}/32")


CUTS = [no_wire, no_way_up, no_way_down]


@pytest.fixture
def net() -> Iterator[Machines]:
    with machines(1 + len(PLACES)) as net:
        yield net


@pytest.fixture
def server(net: Machines, start_nats: StartNats) -> NatsServer:
    with net.on(1):
        return start_nats(args=["-a", "0.0.0.0"])


async def test_a_worker_and_a_coordinator_whose_network_is_cut_by_the_kernel(
    net: Machines, server: NatsServer, spawn_picoclaw: SpawnPicoclaw, home: Path, tmp_path: Path
) -> None:
    define(home)
    url = f"nats://{net.address(1)}:{server.port}"
    nodes = Nodes(spawn_picoclaw, "--swarm.hid", HID, "--swarm.nats.urls", url)
    running = {}
    for name, place in PLACES.items():
        serves = ("--swarm.capabilities", "noop,slow") if name != "lead" else ()
        with net.on(place):
            running[name] = nodes.begin("coordinator" if name == "lead" else "worker", name, *serves)
    for node in running.values():
        serving(node)
    with net.on(1):
        async with look(url, HID, tmp_path) as lab:
            swarm = await lab.door(make=False)
            await may_judge(swarm, "lead")
            async with SteadyLoad(swarm, hands=2, ahead=4) as load:
                for cut in CUTS:
                    request, victim = await begin_slow(swarm, 3)
                    with cut(net, victim):

                        async def taken(request: str = request) -> bool:
                            return (await log_of(swarm, request))[:3] == ["queued", "started", "queued"]

                        await wait_for_async(taken, 20, f"a task of {victim} was taken")
                    assert (await end_of(swarm, request, 30)).head.state == "done"
                    assert await log_of(swarm, request) == ["queued", "started", "queued", "started", "done"]
                    await load.flowing(5)
                for cut in CUTS:
                    request, _ = await begin_slow(swarm, 9)

                    async def ended(request: str = request) -> bool:
                        return (await log_of(swarm, request))[-1] == "done"

                    with cut(net, "lead"):
                        # Its worker writes down the end while the coordinator hears nothing of it.
                        await wait_for_async(ended, 20, "the task ended")
                    assert (await end_of(swarm, request, 30)).head.state == "done"
                    assert await log_of(swarm, request) == ["queued", "started", "done"]
                    await load.flowing(5)
            await load.nothing_lost()
    assert all(node.running for node in running.values())
