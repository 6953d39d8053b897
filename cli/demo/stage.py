"""Stage: a swarm of a show's own, of real `picoclaw` processes, apart from the user's in every way.

A home, a server on a free port and an H-id of its own; none of the user's settings or keys. Nothing
of it outlives this process, not even kill -9: the reaper sees to that.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from nats.aio.client import Client

from ...config.settings import NatsSettings
from ...errors import SwarmError
from ...swarm.connection import Hook, connect
from ...swarm.embedded.probe import free_port
from ...swarm.embedded.process import birth, send, wait_gone
from ...swarm.embedded.shared import EmbeddedServer
from ...swarm.swarm import Swarm, open_swarm

HEARTBEAT = timedelta(seconds=0.5)
NODE_TIMEOUT = timedelta(seconds=2)
START = timedelta(seconds=60)
"""For five processes on a machine that does other things too."""
STOP = timedelta(seconds=5)
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH")
"""What of the environment the nodes get to see."""
READY = "is in swarm"


@dataclass(slots=True)
class StageNode:
    """One node: a `picoclaw` process in a session of its own."""

    name: str
    role: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    def last_words(self) -> str:
        """Return the last line of its log, for an error."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][-300:] if lines else "it said nothing"


@dataclass(slots=True)
class Stage:
    """A running show."""

    folder: Path
    hid: str
    server: EmbeddedServer
    reaper: "Reaper"
    nodes: dict[str, StageNode] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def keep(self) -> None:
        """Leave the folder with the logs where it is."""
        self.reaper.tell("keep")

    async def start(self, name: str, role: str, *flags: str) -> None:
        """Start a node without waiting for it."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "picoclaw",
                "--swarm.role", role, "--swarm.name", name, "--swarm.hid", self.hid,
                "--swarm.nats.embedded",
                "--swarm.nats.heartbeat_interval", f"{HEARTBEAT.total_seconds():g}s",
                "--swarm.nats.node_timeout", f"{NODE_TIMEOUT.total_seconds():g}s",
                "--swarm.drain_timeout", "1s",
                *flags,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                cwd=self.folder,
                env=environment(self.home),
                # Ctrl-C at the terminal is this process's to handle.
                start_new_session=True,
            )  # fmt: skip
        self.reaper.tell(f"+{process.pid}")
        self.nodes[name] = StageNode(name, role, process, log)

    async def all_ready(self) -> None:
        """Wait until each node serves. Raises SwarmError with its last words when one does not."""
        try:
            async with asyncio.timeout(START.total_seconds()):
                for node in self.nodes.values():
                    while READY not in await asyncio.to_thread(node.log.read_text, errors="replace"):
                        if not node.alive:
                            raise SwarmError(f"{node.name} did not come up: {node.last_words()}")
                        await asyncio.sleep(0.05)
        except TimeoutError:
            raise SwarmError(
                f"the swarm did not come up within {START.total_seconds():g} s: the machine may be overloaded"
            ) from None

    async def kill(self, name: str) -> None:
        """kill -9 a node, and wait until it is gone."""
        node = self.nodes[name]
        node.process.kill()
        await node.process.wait()
        self.reaper.tell(f"-{node.process.pid}")

    def kill_server(self) -> int:
        """kill -9 the server, wait until it is gone, and return its pid; it blocks.

        Raises SwarmError when there is none, or when it stays.
        """
        record = self.server.seen()
        mark = birth(record.pid) if record is not None else None
        if record is None or not send(record.pid, signal.SIGKILL):
            raise SwarmError("the show's server is not there: see its log")
        if not wait_gone(record.pid, mark, STOP):
            raise SwarmError(f"the show's server (pid {record.pid}) survived kill -9")
        return record.pid

    async def stop(self) -> None:
        """Tell each node to end, and wait a little; who stays is the reaper's."""
        there = [node for node in self.nodes.values() if node.alive]
        for node in there:
            node.process.terminate()
        waits = [asyncio.ensure_future(node.process.wait()) for node in there]
        if waits:
            await asyncio.wait(waits, timeout=STOP.total_seconds())
        for node in there:
            if not node.alive:
                self.reaper.tell(f"-{node.process.pid}")


class Reaper:
    """Ends all that is left of a show when it is closed, or when this process is gone."""

    def __init__(self, folder: Path) -> None:
        script = Path(__file__).with_name("reaper.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def close(self) -> None:
        """Let it do its work, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STOP.total_seconds())


def environment(home: Path) -> dict[str, str]:
    """Return what a node of the show sees: its own home, and none of the user's settings and keys."""
    return {"HOME": str(home), **{name: os.environ[name] for name in PASSED_ON if name in os.environ}}


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Make the folder and the server of a show; at the end of the block all of it is gone.

    Raises EmbeddedServerError when there is no server to be had.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="picoclaw-demo-"))
    reaper = Reaper(folder)
    server = EmbeddedServer(NatsSettings(), home=folder / "home" / ".picoclaw", preferred_port=free_port())
    made = Stage(folder, f"demo-{secrets.token_hex(4)}", server, reaper)
    reaper.tell(f"server {server.store / 'server.lock'}")
    try:
        made.home.mkdir()
        await server.join()
        try:
            yield made
        finally:
            await asyncio.shield(made.stop())
            await asyncio.shield(server.stop())
    finally:
        await asyncio.shield(asyncio.to_thread(reaper.close))


@asynccontextmanager
async def looking_at(made: Stage) -> AsyncIterator[Swarm]:
    """Open the show's swarm as somebody who is no node of it, and who restarts nothing."""
    first = made.server.seen()
    assert first is not None
    nats = made.server.settings(first)

    async def where() -> NatsSettings:
        record = made.server.seen()
        return made.server.settings(record) if record is not None else nats

    async def dial(disconnected: Hook, reconnected: Hook) -> Client:
        return await connect(
            nats, name="picoclaw demo", on_disconnect=disconnected, on_reconnect=reconnected, resolve=where
        )

    async with open_swarm(dial, nats, hid=made.hid) as swarm:
        yield swarm
