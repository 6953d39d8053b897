"""A program of this machine as an MCP transport: supervised, bounded, and gone when the block is left.

The SDK's own transport keeps a line of any length in memory and leaves what forks away. Here a supervisor
stands between (child/supervise.py): it ends the program and all that it started, also when this node is
killed.
"""

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter

from ...child.mask import Mask
from ...child.run import SUPERVISE
from ...tool import python_argv

log = logging.getLogger(__name__)

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]

CHUNK = 2**16
CLOSING = timedelta(seconds=2)
"""How long a server may take to end by itself once its input is closed."""
GRACE = timedelta(seconds=2)
"""Between SIGTERM and SIGKILL."""
MOST_LINES = 20
"""Lines of its standard error that are logged."""
LONGEST_LINE = 500


@dataclass(slots=True, kw_only=True)
class Program:
    """A server to be run, and what became of it."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    """All that it sees of the environment."""
    cwd: Path
    folder: Path
    """A folder of our own, which it has no business with."""
    limit: int
    """Bytes that it may send without an answer in them."""
    mask: Mask = field(default_factory=Mask)
    why: str = ""
    """Why nothing comes of it any more; empty while it is well."""
    flooded: bool = False
    """It was cut off, and is owed no time to end."""
    last_words: str = ""
    """The last line of its standard error, masked."""


@asynccontextmanager
async def stdio(program: Program) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """Run a server and yield the streams of its messages. Raises OSError when no process can be started."""
    into, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, out = anyio.create_memory_object_stream[SessionMessage](0)
    running = await _start(program)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_read, running, program, into)
            group.start_soon(_read_errors, running.process, program)
            group.start_soon(_write, running.process, program, out, into)
            try:
                yield incoming, outgoing
            finally:
                # Every wait in it is bounded.
                with anyio.CancelScope(shield=True):
                    incoming.close()
                    outgoing.close()
                    if program.flooded:
                        running.end()
                    await _end(running)
                group.cancel_scope.cancel()
    finally:
        running.close()
        for stream in (into, incoming, outgoing, out):
            stream.close()


@dataclass(slots=True, kw_only=True)
class _Running:
    """A supervisor, and our ends of its pipes."""

    process: asyncio.subprocess.Process
    control: int
    heard: int

    def end(self) -> None:
        """Have it kill whatever there is."""
        if self.control >= 0:
            os.close(self.control)
            self.control = -1

    def close(self) -> None:
        self.end()
        os.close(self.heard)

    def told(self) -> str:
        """Return what the supervisor says of the program's end, in words."""
        found: dict[str, Any] = {}
        with suppress(BlockingIOError, ValueError):
            for line in os.read(self.heard, CHUNK).splitlines():
                found |= json.loads(line)
        if "refused" in found:
            return f"it cannot be run: {found['refused'].get('why')}"
        if "signal" in found:
            return f"it was ended by signal {found['signal']}"
        return f"it ended with exit code {found['exit']}" if "exit" in found else "it has ended"


async def _start(program: Program) -> _Running:
    theirs, control = os.pipe()
    heard, report = os.pipe()
    progress = os.open(os.devnull, os.O_WRONLY)
    os.set_blocking(heard, False)
    try:
        order = {
            "argv": program.argv,
            "cwd": str(program.cwd),
            "limits": {},
            "bounds": {},
            "grace_s": GRACE.total_seconds(),
            "control": theirs,
            "report": report,
            "progress": progress,
        }
        file = program.folder / "order.json"
        await asyncio.to_thread(file.write_text, json.dumps(order), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *python_argv(SUPERVISE, str(file)),
            cwd=program.folder,
            env=dict(program.env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(theirs, report, progress),
            start_new_session=True,
        )
    except BaseException:
        os.close(control)
        os.close(heard)
        raise
    finally:
        for descriptor in (theirs, report, progress):
            os.close(descriptor)
    return _Running(process=process, control=control, heard=heard)


async def _read(
    running: _Running,
    program: Program,
    into: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    """Pass its messages on; what is no message is dropped, and a flood ends it."""
    process = running.process
    assert process.stdout is not None
    held = bytearray()
    unanswered = 0
    async with into:
        while chunk := await process.stdout.read(CHUNK):
            unanswered += len(chunk)
            first, *others = chunk.split(b"\n")
            held += first
            lines: list[bytes | bytearray] = [held, *others[:-1]] if others else []
            held = bytearray(others[-1]) if others else held
            for line in lines:
                message = _message(line)
                if message is None:
                    continue
                if isinstance(message.message, JSONRPCResponse | JSONRPCError):
                    unanswered = len(held)
                try:
                    await into.send(message)
                except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                    unanswered = program.limit + 1  # nobody listens any more: the rest is drained below
                    break
            if unanswered > program.limit:
                program.flooded = True
                program.why = program.why or (
                    f"it sent over {program.limit // 2**10:,} KB without an answer, and was cut off"
                )
                held.clear()
                break
        program.why = program.why or running.told()
    # Read on, so that it can be ended in peace.
    while await process.stdout.read(CHUNK):
        pass


def _message(line: bytes | bytearray) -> SessionMessage | None:
    if not line.strip():
        return None
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(bytes(line), by_name=False))
    except ValueError:
        log.debug("An MCP server printed a line that is no message: dropped")
        return None


async def _read_errors(process: asyncio.subprocess.Process, program: Program) -> None:
    assert process.stderr is not None
    rest = b""
    told = 0
    while chunk := await process.stderr.read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        # The end of a line, which a stack trace's last words stand at.
        rest = rest[-LONGEST_LINE:]
        for line in lines:
            text = program.mask.text(line.decode("utf-8", "replace").strip())[:LONGEST_LINE]
            if not text:
                continue
            program.last_words = text
            told += 1
            if told <= MOST_LINES:
                log.info("MCP server %s says: %s", program.name, text)
            elif told == MOST_LINES + 1:
                log.info("MCP server %s says more than %d lines: dropped", program.name, MOST_LINES)


async def _write(
    process: asyncio.subprocess.Process,
    program: Program,
    out: MemoryObjectReceiveStream[SessionMessage],
    into: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    assert process.stdin is not None
    async with out:
        async for message in out:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                process.stdin.write(text.encode("utf-8", "replace") + b"\n")
                await process.stdin.drain()
            except (BrokenPipeError, ConnectionResetError, RuntimeError):
                program.why = program.why or "it has ended"
                # Whoever waits for an answer hears of the end.
                into.close()
                return


async def _end(running: _Running) -> None:
    """End it as the protocol has it: close its input, wait, SIGTERM, SIGKILL."""
    process = running.process
    if process.stdin is not None:
        process.stdin.close()
    if await _gone(process, CLOSING):
        return
    if running.control >= 0:
        with suppress(BrokenPipeError):
            os.write(running.control, b"t")
    if await _gone(process, GRACE + timedelta(seconds=1)):
        return
    running.end()
    if not await _gone(process, timedelta(seconds=4)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await _gone(process, timedelta(seconds=2))


async def _gone(process: asyncio.subprocess.Process, within: timedelta) -> bool:
    try:
        async with asyncio.timeout(within.total_seconds()):
            await process.wait()
    except TimeoutError:
        return False
    return True
