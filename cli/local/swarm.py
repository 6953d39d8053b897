"""A local swarm for one request: an own server, a coordinator and the specialists, as child processes.

Nothing of it outlives this process, not even kill -9: the server by its tether, the nodes by their
stdin.
"""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from nats.aio.client import Client
from pydantic import TypeAdapter

from ...config.names import GENERAL
from ...config.settings import LlmSettings, NatsSettings, Settings
from ...errors import SwarmError
from ...swarm.connection import connect
from ...swarm.embedded.private import PrivateServer
from ...swarm.swarm import Swarm, open_swarm
from . import node as local_node
from .agents import to_orders
from .node import READY, Orders

START = timedelta(seconds=30)
STOP = timedelta(seconds=5)

SPECIALISTS = ("code", "security", "docs", "testing")


@dataclass(slots=True)
class LocalNode:
    """One child process."""

    name: str
    role: str
    capabilities: tuple[str, ...]
    process: asyncio.subprocess.Process
    log: Path

    def last_words(self) -> str:
        """Return the last line of its log that says something, for an error."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][-300:] if lines else "it said nothing"


@dataclass(slots=True)
class LocalSwarm:
    """A running local swarm."""

    swarm: Swarm
    nodes: list[LocalNode]


@asynccontextmanager
async def local_swarm(
    definitions: Sequence[Path] | None = None,
    *,
    llm: LlmSettings | None = None,
    settings: Settings | None = None,
    specialists: bool = True,
) -> AsyncIterator[LocalSwarm]:
    """Bring up a coordinator and four specialists on a server of their own.

    With `definitions`, files or folders that define capabilities, one worker for all that this machine
    can do with them stands in for the specialists. With `llm` the coordinator plans by a model, reviews are
    read by one too, and a worker's agents take tasks in words, as `settings` (`local_agents`) has them;
    without `specialists` that worker is the only one.

    Raises SwarmError, with the node's last words, when one does not come up.
    """
    server = PrivateServer(NatsSettings())
    async with server as nats:
        assert server.folder is not None
        hid = f"local-{secrets.token_hex(4)}"
        nodes: list[LocalNode] = []
        try:
            async with asyncio.TaskGroup() as group:
                starts = [
                    group.create_task(_start(orders, server.folder))
                    for orders in _orders(
                        nats, hid, server.folder / "home", definitions, llm, settings, specialists
                    )
                ]
            nodes += [start.result() for start in starts]
            async with _open(nats, hid) as swarm:
                await _all_ready(nodes)
                yield LocalSwarm(swarm, nodes)
        finally:
            await asyncio.shield(_stop(nodes))


def _orders(
    nats: NatsSettings,
    hid: str,
    home: Path,
    definitions: Sequence[Path] | None,
    llm: LlmSettings | None,
    settings: Settings | None,
    specialists: bool,
) -> list[Orders]:
    assert nats.credentials is not None
    models = TypeAdapter(LlmSettings).dump_python(llm, mode="json") if llm is not None else {}

    def order(role: str, name: str, capabilities: tuple[str, ...]) -> Orders:
        return Orders(
            role=role,
            name=name,
            capabilities=capabilities,
            max_concurrent=5,
            hid=hid,
            url=nats.urls[0],
            credentials=nats.credentials or "",
            home=str(home),
            definitions=tuple(str(path.absolute()) for path in definitions or ()),
            llm=models,
            agents=to_orders(settings, profiles=GENERAL in capabilities) if settings is not None else {},
        )

    if definitions is not None:
        return [order("coordinator", "coordinator", ()), order("worker", "worker", (GENERAL,))]
    return [
        order("coordinator", "coordinator", ()),
        *(
            order("specialist", f"{name}-specialist", (name,))
            for name in (SPECIALISTS if specialists else ())
        ),
        *([order("worker", "agents", (GENERAL,))] if llm is not None else []),
    ]


async def _start(orders: Orders, folder: Path) -> LocalNode:
    log = folder / f"{orders.name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            local_node.__spec__.name if local_node.__spec__ else local_node.__name__,
            orders.role,
            *orders.capabilities,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            # A group of its own: Ctrl-C at the terminal is this process's to handle.
            start_new_session=True,
        )
    assert process.stdin is not None
    process.stdin.write(orders.to_line().encode())
    return LocalNode(orders.name, orders.role, orders.capabilities, process, log)


async def _all_ready(nodes: list[LocalNode]) -> None:
    async def ready(node: LocalNode) -> None:
        assert node.process.stdout is not None
        line = await node.process.stdout.readline()
        if line.decode().strip() != READY:
            raise SwarmError(f"{node.name} did not come up: {node.last_words()}")

    try:
        async with asyncio.timeout(START.total_seconds()):
            await asyncio.gather(*(ready(node) for node in nodes))
    except TimeoutError:
        raise SwarmError(
            f"the local swarm did not come up within {START.total_seconds():g} s: the machine may be overloaded"
        ) from None


def _open(nats: NatsSettings, hid: str) -> AbstractAsyncContextManager[Swarm]:
    async def dial(
        disconnected: Callable[[], Awaitable[None]], reconnected: Callable[[], Awaitable[None]]
    ) -> Client:
        return await connect(nats, name="picoclaw-run", on_disconnect=disconnected, on_reconnect=reconnected)

    return open_swarm(dial, nats, hid=hid)


async def _stop(nodes: list[LocalNode]) -> None:
    """Close every stdin, wait, and end by force whoever stays."""
    for node in nodes:
        if node.process.stdin is not None:
            node.process.stdin.close()
    waits = [asyncio.ensure_future(node.process.wait()) for node in nodes]
    if not waits:
        return
    _, late = await asyncio.wait(waits, timeout=STOP.total_seconds())
    for node in nodes:
        if node.process.returncode is None:
            os.killpg(node.process.pid, signal.SIGKILL)
    if late:
        await asyncio.wait(late, timeout=STOP.total_seconds())
