"""Run: everything on one server, the contenders taking turns, so that noise falls on all of them."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from picoclaw.config.settings import NatsSettings
from picoclaw.swarm.connection import connect
from picoclaw.swarm.demand import parse_demand
from picoclaw.swarm.embedded.private import PrivateServer
from picoclaw.swarm.swarm import Swarm, open_swarm

from .bare import Address
from .beats import measure_beats
from .ceiling import Ceiling
from .children import Child, Children
from .copies import measure_copies
from .durable import WINDOW, Durable
from .durable_parts import PRIORITY
from .figures import Run, System, Trips
from .meter import Meter, resident, server_process
from .ours import Ours, measure_start
from .ours_node import CAPABILITY
from .report import Outcome

WORKERS = (1, 2)
EIGHT = 8
LONGEST_STEP = 60.0
"""Seconds after which a burst or round is given up: something has stalled for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    ceiling: int
    durable: int
    ours: int
    singles: int
    eights: int
    copies: int
    """Tasks of a burst with one copy of each stream, and with three."""
    beats: int
    """Heartbeats of each of the nodes that do not exist."""


NODES = 1000
FULL = Size(
    rounds=3, ceiling=20_000, durable=6_000, ours=5_000, singles=200, eights=100, copies=3_000, beats=10
)
QUICK = Size(rounds=1, ceiling=5_000, durable=2_000, ours=2_000, singles=50, eights=25, copies=1_000, beats=3)


class Contender(Protocol):
    """One of A, B and ours, seen from the client."""

    async def burst(self, tasks: int) -> Run: ...

    async def trip(self, tasks: int, into: Trips) -> None: ...


def say(text: str) -> None:
    """Tell of progress."""
    print(text, file=sys.stderr, flush=True)


async def run(size: Size, *, slots: int, profile: Path | None = None) -> Outcome:
    """Measure everything."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="picoclaw-bench-")))
        nats = await stack.enter_async_context(PrivateServer())
        children = await stack.enter_async_context(Children(folder))
        bench = Bench(size, slots, nats, children, folder, profile)
        outcome = await bench.run(stack)
        await children.stop()
        say("three servers, one copy of each stream and three ...")
        copies = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="picoclaw-bench-")))
        outcome.copies = await measure_copies(size.copies, size.singles, slots, copies)
        outcome.seconds = time.monotonic() - began
        return outcome


class Bench:
    """One run of the bench."""

    def __init__(
        self,
        size: Size,
        slots: int,
        nats: NatsSettings,
        children: Children,
        folder: Path,
        profile: Path | None,
    ) -> None:
        self._size = size
        self._slots = slots
        self._nats = nats
        self._children = children
        self._folder = folder
        self._profile = profile
        self._address = Address(nats.urls[0], nats.credentials or "")
        self._server = server_process()
        self._pids: dict[str, dict[str, list[int]]] = {
            "A": {"workers": []},
            "B": {"workers": []},
            "ours": {"coordinator": [], "workers": []},
        }
        self._lane = ""
        self._names: dict[str, Any] = {}

    async def run(self, stack: AsyncExitStack) -> Outcome:
        """Start the contenders and let them take turns."""
        ceiling, durable, ours = System("A"), System("B"), System("ours")
        swarm = await stack.enter_async_context(self._swarm("bench"))
        client_a = await self._client(stack)
        contender_a = Ceiling(client_a)
        await contender_a.start()
        contender_b = await self._durable(stack)
        contenders: list[tuple[System, Contender, int]] = [
            (ceiling, contender_a, self._size.ceiling),
            (durable, contender_b, self._size.durable),
            (ours, Ours(swarm), self._size.ours),
        ]
        say(f"server pid {self._server.pid}; max_concurrent {self._slots} in A, B and ours")
        await self._coordinator()
        idle_rss, start, first = 0.0, 0.0, 0
        for workers in WORKERS:
            if workers == 1:
                child, start = await measure_start(swarm, self._our_worker)
                first = child.pid
                idle_rss = resident(first) / 1e6
                say(f"our worker: {start:.2f} s from process start to its first task, {idle_rss:.0f} MB")
            else:
                child = await self._our_worker()
                await child.ready()
            await self._bare_workers()
            await self._warm(contenders)
            await self._bursts(contenders, workers)
            await self._trips(contenders, workers)
        say(f"heartbeats of {NODES:,} nodes ...")
        beats = await measure_beats(
            swarm, self._pids["ours"]["coordinator"][0], nodes=NODES, rounds=self._size.beats
        )
        return Outcome(
            ceiling,
            durable,
            ours,
            max_concurrent=self._slots,
            idle_rss=idle_rss,
            used_rss=resident(first) / 1e6,
            start=start,
            beats=beats,
            seconds=0.0,
            cores=psutil.cpu_count() or 1,
            server=str(client_a._server_info.get("version", "")),
        )

    # --- the processes ---

    @asynccontextmanager
    async def _swarm(self, hid: str) -> AsyncIterator[Swarm]:
        async def dial(
            disconnected: Callable[[], Awaitable[None]], reconnected: Callable[[], Awaitable[None]]
        ) -> Any:
            return await connect(
                self._nats, name="bench", on_disconnect=disconnected, on_reconnect=reconnected
            )

        async with open_swarm(dial, self._nats, hid=hid) as swarm:
            yield swarm

    async def _client(self, stack: AsyncExitStack) -> Any:
        client = await self._address.connect()
        stack.push_async_callback(client.close)
        return client

    async def _durable(self, stack: AsyncExitStack) -> Durable:
        # B's streams and consumers are made by our own code, so that they are the same as ours.
        async with self._swarm("bench-b") as swarm:
            self._lane = await swarm.lanes.ensure(parse_demand(CAPABILITY), PRIORITY)
            await swarm.inbox.sources()
            names = swarm.names
        self._names = {"hid": names.hid, "consumer": names.lane_consumer(self._lane, PRIORITY)}
        coordinator = await self._start("coordinator", hid=names.hid, lane=self._lane, window=WINDOW)
        await coordinator.ready()
        durable = Durable(await self._client(stack), names, self._lane)
        await durable.start()
        return durable

    async def _start(self, what: str, **told: Any) -> Child:
        address = {"url": self._address.url, "credentials": self._address.credentials}
        return await self._children.start(what, slots=self._slots, **address, **told)

    async def _node(self, role: str, name: str, **told: Any) -> Child:
        if self._profile:
            told["profile"] = str(self._profile / f"{name}.txt")
        home = str(self._folder / "home")
        return await self._start("node", role=role, name=name, hid="bench", home=home, **told)

    async def _coordinator(self) -> None:
        templates = sorted({1, EIGHT, self._size.ours, self._size.ours // 10})
        child = await self._node("coordinator", "bench-coordinator", templates=templates)
        await child.ready()
        self._pids["ours"]["coordinator"].append(child.pid)

    async def _our_worker(self) -> Child:
        child = await self._node("worker", f"bench-worker-{len(self._pids['ours']['workers']) + 1}")
        self._pids["ours"]["workers"].append(child.pid)
        return child

    async def _bare_workers(self) -> None:
        for system, what, told in (("A", "ceiling", {}), ("B", "worker", self._names)):
            child = await self._start(what, **told)
            await child.ready()
            self._pids[system]["workers"].append(child.pid)

    # --- the measuring ---

    async def _warm(self, contenders: list[tuple[System, Contender, int]]) -> None:
        for _, contender, tasks in contenders:
            await _in_time(contender.burst(tasks // 10), "the first burst")

    async def _bursts(self, contenders: list[tuple[System, Contender, int]], workers: int) -> None:
        for _ in range(self._size.rounds):
            for system, contender, tasks in contenders:
                with Meter(self._pids[system.name], self._server) as meter:
                    result = await _in_time(contender.burst(tasks), f"a burst of {system.name}")
                system.bursts.setdefault(workers, []).append(meter.write(result))
                used = ", ".join(f"{part} {1000 * cpu / tasks:.3f}" for part, cpu in result.cpu.items())
                say(
                    f"{system.name:4} {workers} worker(s): {result.rate:8,.0f} tasks/s; CPU s per 1,000: "
                    f"{used}; first {1000 * result.first:.0f} ms, longest pause {1000 * result.stall:.0f} ms, "
                    f"foreign cores {result.foreign:.1f}, load {result.load:.1f}"
                )
                await asyncio.sleep(0.2)  # the server ends what it does behind its answers

    async def _trips(self, contenders: list[tuple[System, Contender, int]], workers: int) -> None:
        for tasks, number in ((1, self._size.singles), (EIGHT, self._size.eights)):
            into = {system.name: Trips() for system, _, _ in contenders}
            for part in range(5):
                for system, contender, _ in contenders:
                    for _ in range(number * (part + 1) // 5 - number * part // 5):
                        await _in_time(contender.trip(tasks, into[system.name]), f"a round of {system.name}")
            for system, _, _ in contenders:
                (system.single if tasks == 1 else system.eight)[workers] = into[system.name]
            say(f"rounds of {tasks} with {workers} worker(s) done, load {os.getloadavg()[0]:.1f}")


async def _in_time(work: Awaitable[Any], what: str) -> Any:
    try:
        async with asyncio.timeout(LONGEST_STEP):
            return await work
    except TimeoutError:
        raise RuntimeError(f"{what} did not end within {LONGEST_STEP:g} s: something has stalled") from None
