"""A fleet: real nodes on a real server, each behind a relay of its own, and a door for the test.

async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
    await fleet.start(("coordinator", "c1"), ("worker", "w1", "--swarm.max_concurrent", "2"))
    request = await fleet.ask(3, seconds=0.1)                 # three tasks of the capability `job`
    point = fleet.point(writes("log", entry="done"), "after", fleet.kill, among=("w1",))
    await fleet.settled()                                     # all ended, and the checker found nothing
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from picoclaw.errors import PicoclawError
from picoclaw.swarm.submission import Ended, new_request, submit, wait
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.checker import History, Violation, check, told
from picoclaw.tests.checker.collect import collect, read_jobs

from .command import Spawned, SpawnPicoclaw
from .fault_points import Act, Match, Point, Then, When, Write
from .job_records import offer
from .nats import NatsServer
from .nodes import serving
from .relay import Park, Relay, relays
from .swarm import Lab, lab_on
from .waiting import wait_for_async

HID = "fleet"
FAST: Mapping[str, str] = {
    "--swarm.nats.heartbeat_interval": "0.3s",
    "--swarm.nats.node_timeout": "2s",
    "--swarm.nats.ack_wait": "3s",
    "--swarm.drain_timeout": "5s",
}
STARTS = 60.0
"""Seconds that a node may take to serve on a machine that is busy."""


class Fleet:
    """Nodes by name; `server` may be killed and started again."""

    def __init__(
        self, server: NatsServer, spawn: SpawnPicoclaw, home: Path, park: Park, lab: Lab, door: Swarm
    ) -> None:
        self.server, self.swarm, self.lab = server, door, lab
        self.records = home / "jobs.jsonl"
        self.nodes: dict[str, Spawned] = {}
        self.relays: dict[str, Relay] = {}
        self.slots: dict[str, int] = {}
        self.handed_in: list[str] = []
        self._spawn, self._home, self._park = spawn, home, park
        self._args: dict[str, list[str]] = {}
        self._capabilities: dict[str, tuple[str, ...]] = {}

    # --- nodes ---

    def begin(
        self,
        role: str,
        name: str,
        *args: str,
        slots: int = 2,
        capabilities: tuple[str, ...] = ("job",),
        relayed: bool = True,
        timings: Mapping[str, str] = FAST,
        env: Mapping[str, str] | None = None,
    ) -> Spawned:
        """Start a node without waiting for it; `env` is for this start alone."""
        if relayed:
            self.relays[name] = self._park.open(self.server.url, name=name)
        url = self.relays[name].url if relayed else self.server.url
        self._args[name] = [
            "--swarm.role", role, "--swarm.name", name, "--swarm.hid", HID, "--swarm.nats.urls", url,
            *(part for pair in timings.items() for part in pair), *args,
        ]  # fmt: skip
        if role != "coordinator":
            self.slots[name] = slots
            self._args[name] += ["--swarm.max_concurrent", str(slots)]
            if capabilities:
                self._args[name] += ["--swarm.capabilities", ",".join(capabilities)]
        self._capabilities[name] = capabilities
        return self.again(name, env)

    async def start(self, *nodes: Sequence[str], **options: Any) -> None:
        """Start nodes, each given as role, name and further arguments, and wait until all serve."""
        for node in nodes:
            self.begin(node[0], node[1], *node[2:], **options)
        await self.serving(*(node[1] for node in nodes))

    def again(self, name: str, env: Mapping[str, str] | None = None) -> Spawned:
        """Start a node that has ended once more, under its name and in its home."""
        home = self._home / f"of-{name}"
        home.mkdir(exist_ok=True)
        for capability in self._capabilities[name]:
            offer(home, name, self.records, capability)
        self.nodes[name] = self._spawn(*self._args[name], env={"HOME": str(home), **(env or {})})
        return self.nodes[name]

    async def serving(self, *names: str) -> None:
        """Wait until these nodes serve."""
        await asyncio.gather(*(asyncio.to_thread(serving, self.nodes[name], STARTS) for name in names))

    async def back(self) -> list[str]:
        """Start every node again that has ended, and the server; return which."""
        if not self.server.running:
            await asyncio.to_thread(self.server.restart)
        ended = [name for name, node in self.nodes.items() if not node.running]
        for name in ended:
            self.again(name)
        await self.serving(*ended)
        return ended

    # --- harm: each fits a fault point, and may be called with a name ---

    def kill(self, whom: Write | str) -> None:
        """kill -9 of a node."""
        self.nodes[_name(whom)].kill9()

    def stop(self, whom: Write | str) -> None:
        """SIGSTOP of a node."""
        self.nodes[_name(whom)].signal(signal.SIGSTOP)

    def cont(self, whom: Write | str) -> None:
        """SIGCONT of a node."""
        self.nodes[_name(whom)].signal(signal.SIGCONT)

    def kill_server(self, whom: Write | str = "") -> None:
        """kill -9 of the nats-server."""
        self.server.kill()

    def point(
        self,
        match: Match,
        when: When,
        act: Act,
        *,
        among: Iterable[str] = (),
        number: int = 1,
        then: Then = "break",
    ) -> Point:
        """Set one fault point at these nodes (or all): who comes there first suffers it."""
        point = Point(match, when, act, number, then)
        for name in among or self.relays:
            self.relays[name].share(point)
        return point

    # --- work ---

    async def ask(self, tasks: int = 1, *, name: str = "", workflow: Any = None, **options: Any) -> str:
        """Hand in a request of so many tasks; `seconds`, `fail` and `refuse` are what its jobs do."""
        said = {key: options.pop(key) for key in ("seconds", "fail", "refuse") if key in options}
        given: dict[str, Any] = {"demand": "job", "input": said}
        if tasks > 1 or workflow is not None:
            workflow = workflow or {
                "name": "many",
                "tasks": [
                    {
                        "step": "t",
                        "for_each": list(range(tasks)),
                        "demand": "job",
                        "input": {**said, "n": "${item}"},
                    }
                ],
            }
            given = {"workflow": workflow, "template": workflow["name"]}
        request = new_request(name or f"{tasks} tasks", **given | options)
        await submit(self.swarm, request)
        self.handed_in.append(request.id)
        return request.id

    async def end(self, request: str, timeout: float = 30.0) -> Ended:
        return await wait(self.swarm, request, limit=timedelta(seconds=timeout))

    # --- what must hold ---

    async def history(self) -> History:
        history = await collect(self.swarm, handed_in=self.handed_in)
        return replace(history, jobs=read_jobs(self.records), slots=self.slots)

    async def settled(self, timeout: float = 30.0) -> History:
        """Wait until everything has ended, and return the history; AssertionError with what does not hold."""
        last: list[Violation] = []

        async def sound() -> bool:
            try:
                last[:] = check(await self.history())
            except (PicoclawError, NatsError, OSError) as error:
                last[:] = [Violation("unreadable", str(error))]
            return not last

        try:
            await wait_for_async(sound, timeout)
        except AssertionError:
            raise AssertionError(f"after {timeout:g} s:\n{told(last)}") from None
        return await self.history()


def _name(whom: Write | str) -> str:
    return whom if isinstance(whom, str) else whom.via


@asynccontextmanager
async def fleet_on(
    server: NatsServer, spawn: SpawnPicoclaw, home: Path, folder: Path
) -> AsyncIterator[Fleet]:
    """A fleet for a block; its processes end with the test."""
    with relays() as park:
        async with lab_on(server.url, folder, hid=HID, clean=False) as lab:
            fleet = Fleet(server, spawn, home, park, lab, await lab.door())
            try:
                yield fleet
            finally:
                if not server.running:
                    await asyncio.to_thread(server.restart)
                for relay in fleet.relays.values():
                    relay.heal()
