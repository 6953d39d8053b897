"""A swarm for a test: an H-id of its own on a real server, real nodes in this process, and a door to it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from picoclaw.capabilities.executor import Executors
from picoclaw.config.settings import LlmSettings, NatsSettings, Role, Settings, SwarmSettings
from picoclaw.roles.adverts import Definitions, fixed
from picoclaw.roles.node import Node
from picoclaw.roles.planning.template import Template, TemplateTask
from picoclaw.swarm.connection import connect
from picoclaw.swarm.entries import Entry, Queued, Started
from picoclaw.swarm.log import decode
from picoclaw.swarm.records import Delivery, QueuedTask, Result, Task, new_id
from picoclaw.swarm.streams import Limits, stream_configs
from picoclaw.swarm.subjects import REQUEST_STEP, request_id
from picoclaw.swarm.submission import Ended, new_request, submit, wait
from picoclaw.swarm.swarm import Me, Swarm, open_swarm
from picoclaw.swarm.wire import ApiError
from picoclaw.tests.support.waiting import wait_for_async

HEARTBEAT = timedelta(seconds=0.2)
NODE_TIMEOUT = timedelta(seconds=1)
ACK_WAIT = timedelta(seconds=30)
STEP = "task"
"""The step of a request that is one task."""


class Running:
    """One node in this process, from `ready` to its end."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.task = asyncio.create_task(node.serve(), name=f"node {node.name}")

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def run(self) -> str:
        return self.node.run

    @property
    def swarm(self) -> Swarm:
        assert self.node.swarm is not None
        return self.node.swarm

    async def ready(self) -> None:
        """Wait until it serves; raises what kept it from that."""
        waiter = asyncio.create_task(self.node.ready.wait())
        try:
            async with asyncio.timeout(20):
                await asyncio.wait({waiter, self.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if self.task.done():
            self.task.result()

    async def stop(self) -> None:
        """Drain it, and wait until it has left; raises what it died of."""
        self.node.stop.set()
        async with asyncio.timeout(20):
            await self.task

    async def crash(self) -> None:
        """End it at once, without a goodbye."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Lab:
    """Nodes and doors of one H-id."""

    def __init__(self, url: str, folder: Path, *, hid: str | None = None) -> None:
        self.hid: str | None = hid or f"test {secrets.token_hex(6)}"
        self.folder = folder
        self.nats = NatsSettings(
            urls=(url,),
            heartbeat_interval=HEARTBEAT,
            node_timeout=NODE_TIMEOUT,
            ack_wait=ACK_WAIT,
            connect_timeout=timedelta(seconds=10),
        )
        self._nodes: list[Running] = []
        self._doors: list[tuple[asyncio.Task[None], asyncio.Event]] = []

    def begin(
        self,
        role: Role,
        *,
        name: str | None = None,
        capabilities: Sequence[str] = (),
        executors: Executors | None = None,
        templates: Sequence[Template] = (),
        definitions: Definitions | None = None,
        slots: int = 5,
        drain: timedelta = timedelta(seconds=5),
        hid: str | None = None,
        promotable: bool = False,
        llm: LlmSettings | None = None,
        **nats: Any,
    ) -> Running:
        """Start a node without waiting for it; `nats` changes the lab's settings for it.

        Not `promotable` unless it is told so: most tests play the coordinator themselves.
        """
        swarm = SwarmSettings(
            enabled=True,
            role=role,
            name=name,
            capabilities=tuple(capabilities),
            max_concurrent=slots,
            hid=hid or self.hid,
            drain_timeout=drain,
            promotable=promotable,
            nats=replace(self.nats, **nats),
        )
        running = Running(
            Node(
                settings=Settings(swarm=swarm, llm=llm or LlmSettings()),
                definitions=definitions or fixed(executors or {}, tuple(templates)),
                home=self.folder,
                capabilities_given=bool(capabilities),
            )
        )
        self._nodes.append(running)
        return running

    async def node(self, role: Role, **options: Any) -> Running:
        """Start a node and wait until it serves."""
        running = self.begin(role, **options)
        await running.ready()
        return running

    async def worker(self, executors: Executors, **options: Any) -> Running:
        """Start a worker that names the executors' capabilities."""
        options.setdefault("capabilities", sorted(executors))
        return await self.node(options.pop("role", "worker"), executors=executors, **options)

    async def coordinator(self, *templates: Template, **options: Any) -> Running:
        return await self.node("coordinator", templates=templates, **options)

    async def door(
        self, *, limits: Limits | None = None, me: Me | None = None, url: str | None = None, make: bool = True
    ) -> Swarm:
        """Open the swarm as somebody who is no node; closed with the lab."""
        nats = self.nats if url is None else replace(self.nats, urls=(url,))
        opened: asyncio.Future[Swarm] = asyncio.get_running_loop().create_future()
        leave = asyncio.Event()
        task = asyncio.create_task(self._hold(nats, opened, leave, limits, me, make), name="door")
        both: set[asyncio.Future[Any]] = {task, opened}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        if task.done():
            task.result()
        self._doors.append((task, leave))
        return await opened

    async def _hold(
        self,
        nats: NatsSettings,
        opened: asyncio.Future[Swarm],
        leave: asyncio.Event,
        limits: Limits | None,
        me: Me | None,
        make: bool,
    ) -> None:
        async def dial(gone: Callable[[], Awaitable[None]], back: Callable[[], Awaitable[None]]) -> Client:
            return await connect(nats, name="door", on_disconnect=gone, on_reconnect=back)

        async with open_swarm(dial, nats, hid=self.hid, me=me, limits=limits, make=make) as swarm:
            opened.set_result(swarm)
            await leave.wait()

    async def close(self, *, clean: bool = True) -> None:
        """End every node and door, and remove the streams."""
        if clean and self.hid is not None:
            swarm = await self.door()
            await self._end_nodes()
            configs = stream_configs(swarm.names, replicas=1, limits=Limits())
            for name in [*(str(c["name"]) for c in configs), f"OBJ_{swarm.names.artifacts}"]:
                try:
                    await swarm.wire.api(f"STREAM.DELETE.{name}")
                except ApiError:
                    pass  # it was never made
        await self._end_nodes()
        for task, leave in self._doors:
            leave.set()
            await task

    async def _end_nodes(self) -> None:
        for running in self._nodes:
            if not running.task.done():
                await running.crash()


@asynccontextmanager
async def lab_on(url: str, folder: Path, *, hid: str | None = None, clean: bool = True) -> AsyncIterator[Lab]:
    """A lab for a block."""
    lab = Lab(url, folder, hid=hid)
    try:
        yield lab
    finally:
        await lab.close(clean=clean)


@dataclass(slots=True)
class Playing:
    """The test in the part of a coordinator: one task, written and queued by hand."""

    swarm: Swarm
    queued: QueuedTask

    @property
    def request(self) -> str:
        return self.queued.request

    @property
    def id(self) -> str:
        return self.queued.id

    async def append(self, entry: Any, expected: int | None = None) -> int:
        """Append to the task's log; None: over whatever stands there."""
        if expected is None:
            expected = (await self.swarm.log.head(self.request, STEP)).seq
        return await self.swarm.log.append(self.request, STEP, entry, expected=expected)

    async def entries(self) -> list[Entry]:
        return await entries(self.swarm, self.request, STEP)

    async def kinds(self) -> list[str]:
        return [entry.kind for entry in await self.entries()]

    async def until(self, *kinds: str, timeout: float = 10.0) -> list[Entry]:
        """Wait until the task's log has just these entries."""

        async def there() -> bool:
            return await self.kinds() == list(kinds)

        try:
            await wait_for_async(there, timeout)
        except AssertionError:
            raise AssertionError(f"log is {await self.kinds()}, not {list(kinds)}") from None
        return await self.entries()


async def play_task(
    swarm: Swarm, *, demand: str = "noop", publish: bool = True, queued: Queued | None = None, **task: Any
) -> Playing:
    """Write `queued` for a task of a request of its own, and put it on its lane."""
    request = request_id(secrets.token_hex(8))[0]
    whole = Task(step=STEP, demand=demand, **task)
    entry = queued or Queued(by="test", demand=demand, priority=1, reason="released")
    seq = await swarm.log.append(request, STEP, entry, expected=0)
    message = QueuedTask(request=request, task=whole, priority=entry.priority, queued_seq=seq)
    if publish:
        await swarm.queue.publish(message)
    return Playing(swarm, message)


def started(node: str, run: str = "", **given: Any) -> Started:
    """An entry as another holder writes it."""
    fields: dict[str, Any] = {
        "by": node,
        "node": node,
        "run": run or new_id(),
        "attempt": 1,
        "demand": "noop",
        "priority": 1,
        "delivery": Delivery(seq=0, count=1),
        "ack": "",
        "beat": 1,
    }
    return Started(**(fields | given))


async def entries(swarm: Swarm, request: str, step: str = REQUEST_STEP) -> list[Entry]:
    """The entries of a task's or a request's log."""
    found = [decode(followed) async for followed in swarm.log.history(request, step)]
    assert all(entry is not None for entry in found)
    return [entry for entry in found if entry is not None]


async def kinds(swarm: Swarm, request: str, step: str = REQUEST_STEP) -> list[str]:
    return [entry.kind for entry in await entries(swarm, request, step)]


async def in_queue(swarm: Swarm) -> int:
    """How many messages the work queue and its schedule hold."""
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.tasks}")
    return int(info["state"]["messages"])


async def ask(swarm: Swarm, text: str = "do it", **options: Any) -> str:
    """Submit a request and return its id."""
    request = new_request(text, **options)
    await submit(swarm, request)
    return request.id


async def end_of(swarm: Swarm, request: str, timeout: float = 15.0) -> Ended:
    return await wait(swarm, request, limit=timedelta(seconds=timeout))


def template(name: str, *tasks: TemplateTask, join: str = "plain") -> Template:
    return Template(name=name, tasks=tasks, join=join)


def step(name: str, demand: str = "noop", **options: Any) -> TemplateTask:
    return TemplateTask(step=name, demand=demand, **options)


def report_of(ended: Ended) -> dict[str, Any]:
    """The request's report as data."""
    assert isinstance(ended.result, Result)
    assert isinstance(ended.result.data, dict)
    data = ended.result.data["data"]
    assert isinstance(data, dict)
    return data
