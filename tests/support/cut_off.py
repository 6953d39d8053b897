"""A swarm of real nodes, each behind a relay of its own that can cut it off."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from picoclaw.swarm.entries import Done, Started
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.figures import record
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import Nodes, events, log_lines, look
from picoclaw.tests.support.relay import Park, Relay, Way, relays
from picoclaw.tests.support.steady_load import SteadyLoad, define
from picoclaw.tests.support.swarm import STEP, ask, end_of, entries, kinds
from picoclaw.tests.support.waiting import wait_for_async

HID = "cut"


@dataclass
class CutOff:
    """Nodes by name, and their relays."""

    server: NatsServer
    park: Park
    nodes: Nodes
    running: dict[str, Spawned] = field(default_factory=dict)
    links: dict[str, Relay] = field(default_factory=dict)

    def start(self, *nodes: tuple[str, str]) -> None:
        """Start nodes, each given as role and name, and wait until they serve; workers serve the load."""
        given = []
        for role, name in nodes:
            self.links[name] = self.park.open(self.server.url)
            serves = () if role == "coordinator" else ("--swarm.capabilities", "noop,slow")
            given.append((role, name, "--swarm.nats.urls", self.links[name].url, *serves))
        for (_, name), node in zip(nodes, self.nodes.start(*given), strict=True):
            self.running[name] = node

    @asynccontextmanager
    async def door(self, folder: Path) -> AsyncIterator[Swarm]:
        """A look at the swarm by a link that nobody cuts."""
        async with look(self.server.url, HID, folder) as lab:
            yield await lab.door(make=False)

    def marked_offline(self, by: str) -> list[str]:
        """Whom a node has marked offline so far."""
        return [
            str(line.get("member")) for line in events(log_lines(self.running[by]), "Node marked offline")
        ]

    def all_run(self) -> bool:
        return all(node.running for node in self.running.values())


@contextmanager
def cut_off(server: NatsServer, spawn: SpawnPicoclaw, home: Path) -> Iterator[CutOff]:
    """A swarm without nodes yet, for a block."""
    define(home)
    with relays() as park:
        yield CutOff(server, park, Nodes(spawn, "--swarm.hid", HID))


async def cut_worker(
    field: CutOff, swarm: Swarm, load: SteadyLoad, way: Way, *, reset: bool = False
) -> float:
    """Cut the holder of a slow task off until another has it, and heal; each ends once, and both serve on.

    Return the seconds until the task was taken from it.
    """
    request, victim = await begin_slow(swarm, 3)
    cut = time.monotonic()
    field.links[victim].blackhole(way)

    async def taken() -> bool:
        return (await log_of(swarm, request))[:3] == ["queued", "started", "queued"]

    await wait_for_async(taken, 20, f"a task of {victim}, cut off, was taken from it")
    seconds = time.monotonic() - cut
    # Until its own job has ended there too: its word of that waits at the cut, and is passed on late.
    await asyncio.sleep(max(0.0, cut + 4.0 - time.monotonic()))
    healed = time.monotonic()
    field.links[victim].heal(reset=reset)
    pinned = await ask(swarm, "again", demand=f"node:{victim}", capability="noop")
    assert (await end_of(swarm, pinned, 30)).head.state == "done"
    back = time.monotonic() - healed
    assert (await end_of(swarm, request, 30)).head.state == "done"
    log = await entries(swarm, request, STEP)
    assert [entry.kind for entry in log] == ["queued", "started", "queued", "started", "done"]
    last = log[-1]
    assert isinstance(last, Done)
    assert last.attempt == 2
    assert field.running[victim].running
    await load.flowing(5)
    record(f"cut ({way}): until the worker's task is another's", seconds)
    record(f"cut ({way}) healed: until the worker has served again", back)
    return seconds


async def cut_observer(
    field: CutOff, swarm: Swarm, name: str, way: Way, *, seconds: float, reset: bool = False
) -> None:
    """Cut a coordinator off for `seconds` while its task runs, and heal: it has declared nobody dead."""
    request, holder = await begin_slow(swarm, seconds + 3)
    before = field.marked_offline(name)
    field.links[name].blackhole(way)
    await asyncio.sleep(seconds)  # a cut has no event to wait for
    field.links[name].heal(reset=reset)
    healed = time.monotonic()
    fresh = await ask(swarm, "after the cut", demand="noop")
    assert (await end_of(swarm, fresh, 30)).head.state == "done"
    back = time.monotonic() - healed
    assert (await end_of(swarm, request, 30)).head.state == "done"
    log = await entries(swarm, request, STEP)
    assert [entry.kind for entry in log] == ["queued", "started", "done"], f"{holder}, alive, was fenced"
    assert field.marked_offline(name) == before, "who was cut off itself marked others offline"
    record(f"cut ({way}) healed: until the coordinator's next request has ended", back)


async def begin_slow(swarm: Swarm, seconds: float) -> tuple[str, str]:
    """Have a task of so many seconds begin; return its request and the node that holds it."""
    request = await ask(swarm, f"{seconds:g}", demand="slow")

    async def started() -> Started | None:
        return next((e for e in await entries(swarm, request, STEP) if isinstance(e, Started)), None)

    return request, (await wait_for_async(started, 15, f"a start of {request}")).node


async def log_of(swarm: Swarm, request: str) -> list[str]:
    """The kinds of the entries of a slow task."""
    return await kinds(swarm, request, STEP)
