"""Run a program as a child: bounded in time, output and environment, and never left behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ..errors import ExecutionError

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The only variables of ours that every child sees; a caller may name further ones."""

OUTPUT_LIMIT = 64 * 2**20
"""Bytes of standard output that are kept; a child that prints more is ended."""

ERRORS_LIMIT = 64 * 2**10
"""Bytes of standard error that are kept, the last ones."""


class ToolAbsent(ExecutionError):
    """Raised when the program is not on this machine."""


class ToolTimedOut(ExecutionError):
    """Raised when a program was ended because its time was up."""


class ToolFlooded(ExecutionError):
    """Raised when a program was ended because it printed more than its limit."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a program left behind."""

    returncode: int
    """Negative: the signal that ended it."""
    stdout: bytes
    stderr: str
    seconds: float

    @property
    def last_words(self) -> str:
        """The last line that it wrote on standard error, at most 300 characters."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


def child_environment(extra: Mapping[str, str] | None = None, allow: Iterable[str] = ()) -> dict[str, str]:
    """Return the environment of a child: the allow-list, what the caller names, and `extra`.

    Built from nothing, so that no key or credential of ours reaches a child that was not given it.
    """
    names = {*PASSED_ON, *allow}
    return {name: value for name, value in os.environ.items() if name in names} | dict(extra or {})


async def run_tool(
    argv: list[str],
    *,
    cwd: Path,
    timeout: timedelta,
    env: Mapping[str, str] | None = None,
    allow: Iterable[str] = (),
    stdin: bytes | None = None,
    output_limit: int = OUTPUT_LIMIT,
) -> ToolOutput:
    """Run a program in a process group of its own and return what it printed.

    `cwd` must lie outside any reviewed repository. On time-out, flood or cancellation the whole group
    is killed and awaited before this returns. Any exit code is a result, not an error.

    Raises ToolAbsent, ToolTimedOut or ToolFlooded.
    """
    started = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=child_environment(env, allow),
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ToolAbsent(f"{argv[0]} cannot be run on this machine: {error.strerror}") from None
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            stdout, stderr = await _converse(process, stdin, output_limit)
            returncode = await process.wait()
    except TimeoutError:
        raise ToolTimedOut(f"{Path(argv[0]).name} was ended after {timeout.total_seconds():.0f} s") from None
    finally:
        await _end_group(process)
    return ToolOutput(
        returncode=returncode,
        stdout=stdout,
        stderr=stderr.decode("utf-8", "replace"),
        seconds=time.monotonic() - started,
    )


async def _converse(
    process: asyncio.subprocess.Process, stdin: bytes | None, limit: int
) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.TaskGroup() as group:
            out = group.create_task(_read_bounded(process.stdout, limit))
            err = group.create_task(_read_tail(process.stderr, ERRORS_LIMIT))
            if stdin is not None:
                group.create_task(_feed(process, stdin))
    except* ToolFlooded as errors:
        raise errors.exceptions[0] from None
    return out.result(), err.result()


async def _read_bounded(stream: asyncio.StreamReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await stream.read(2**16):
        data += chunk
        if len(data) > limit:
            raise ToolFlooded(f"it printed more than {limit // 2**20} MB and was ended")
    return bytes(data)


async def _read_tail(stream: asyncio.StreamReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await stream.read(2**16):
        data += chunk
        del data[:-limit]
    return bytes(data)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    # A child may close its input early; what it says about that is on its standard error.
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """Kill whatever is left of the child's group, also when the child itself has ended; wait for it."""
    # A group outlives its leader while any member lives, so the number is ours or nobody's.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # Unread output would keep the pipes open. The limit is for a grandchild that left the group.
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(2**16):
                    pass
            await process.wait()


def python_argv(script: Path, *arguments: str) -> list[str]:
    """Return the command line of one of our own scripts, deaf to PYTHON* and to the working directory."""
    return [sys.executable, "-I", "-X", "utf8", str(script), *arguments]
