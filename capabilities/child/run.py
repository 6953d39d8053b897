"""Run a child under the supervisor: bounded in time and output, and never left behind."""

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ...errors import RetryableError
from ...swarm.background import first_error
from ..tool import ERRORS_LIMIT, python_argv
from .hunt import hunt
from .output import Captured
from .progress import Progress, read_progress

SUPERVISE = Path(__file__).parent / "supervise.py"
CHUNK = 2**16
LINE = 4096
"""Bytes of a progress line that are looked at."""
PROGRESS_EVERY = timedelta(milliseconds=200)
"""Between two words of progress; of more, the last one is told."""
BACKSTOP = timedelta(seconds=5)
"""How long after its grace a supervisor may take before it is killed itself."""

MARK = "TASK_RUN"

Tell = Callable[[str, float | None], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What all processes of a child may take together; looked at some times a second (on Linux)."""

    processes: int | None = None
    memory: int | None = None
    """Bytes."""
    disk: int | None = None
    """Bytes in `folder`."""
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOrder:
    """What is to be run, and within which limits."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    """All that it sees of the environment."""
    folder: Path
    """A folder of the job's own, which the child has no business with."""
    stdin: bytes | None = None
    timeout: timedelta
    grace: timedelta
    keep: int
    """Bytes of standard output that stay in memory."""
    cap: int
    """Bytes of standard output, and of standard error, at which it is ended."""
    limits: Mapping[str, int | None] = field(default_factory=dict)
    """Of each of its processes."""
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnd:
    """How a child ended, and what it left."""

    code: int | None
    """None: it did not end of itself."""
    signal: int | None = None
    refused: str = ""
    """Why it could not be started."""
    timed_out: bool = False
    flooded: bool = False
    exceeded: str = ""
    """Which of its bounds it was ended at: `processes`, `memory` or `disk`."""
    stdout: Captured
    stderr: bytes
    """The end of it."""
    seconds: float
    left: int = 0
    """Processes that it left behind and that were ended."""


async def run_child(order: ChildOrder, tell: Tell | None = None) -> ChildEnd:
    """Run a program to its end and return it; `tell` hears of its progress.

    When this returns or is cancelled, neither the program nor any process that it started is left, also
    not one that forked away or that ignores SIGTERM (on Linux; elsewhere, its process group). Raises
    OSError when no process can be started at all, RetryableError when its output cannot be kept.
    """
    return await _Child(order, tell).run()


class _Child:
    def __init__(self, order: ChildOrder, tell: Tell | None) -> None:
        self._order = order
        self._tell = tell
        self._stdout = Captured(keep=order.keep, cap=order.cap, spool=order.folder / "stdout")
        self._stderr = Captured(keep=ERRORS_LIMIT, cap=order.cap)
        self._control = -1
        self._mark = secrets.token_hex(8)
        """What each process of this run bears in its environment, unless it takes it out."""
        self._timed_out = False
        self._unkept: OSError | None = None
        """Why its output could not be kept."""
        self._end: dict[str, Any] = {"signal": int(signal.SIGKILL)}
        self._process: asyncio.subprocess.Process

    async def run(self) -> ChildEnd:
        began = time.monotonic()
        theirs, self._control = os.pipe()
        report, told = os.pipe()
        heard, progress = os.pipe()
        try:
            try:
                cancelled = await self._started(theirs, told, progress)
            finally:
                for descriptor in (theirs, told, progress):
                    os.close(descriptor)
            whole = asyncio.create_task(self._converse(heard, report), name="child")
            heard = report = -1  # the task's from here on
            await self._until_gone(whole, cancelled)
        finally:
            self._close_control()
            for descriptor in (heard, report):
                if descriptor >= 0:
                    os.close(descriptor)
            await self._close_output()
        if self._unkept is not None:
            why = self._unkept.strerror or self._unkept
            raise RetryableError(
                f"what it prints cannot be kept on this node ({why}): free space on its disk"
            )
        end = self._end
        refused = end.get("refused")
        return ChildEnd(
            code=end.get("exit"),
            signal=end.get("signal"),
            refused=str(refused["why"]) if refused else "",
            timed_out=self._timed_out,
            flooded=self._stdout.over or self._stderr.over,
            exceeded=str(end.get("exceeded", "")),
            stdout=self._stdout,
            stderr=self._stderr.shown,
            seconds=time.monotonic() - began,
            left=int(end.get("left", 0)),
        )

    async def _started(self, control: int, report: int, progress: int) -> asyncio.CancelledError | None:
        """Start it, to the end also when cancelled meanwhile: what is half started cannot be ended in order."""
        starting = asyncio.create_task(self._start(control, report, progress), name="start child")
        cancelled: asyncio.CancelledError | None = None
        while not starting.done():
            try:
                await asyncio.wait({starting})
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None and starting.exception() is not None:
            raise cancelled
        starting.result()
        return cancelled

    async def _start(self, control: int, report: int, progress: int) -> None:
        order = self._order
        file = order.folder / "order.json"
        text = json.dumps(
            {
                "argv": order.argv,
                "cwd": str(order.cwd),
                "limits": dict(order.limits),
                "bounds": _bounds(order.bounds),
                "grace_s": order.grace.total_seconds(),
                "control": control,
                "report": report,
                "progress": progress,
            }
        )
        await asyncio.to_thread(file.write_text, text, encoding="utf-8")
        self._process = await asyncio.create_subprocess_exec(
            *python_argv(SUPERVISE, str(file)),
            cwd=order.folder,
            env={**order.env, MARK: self._mark},
            stdin=asyncio.subprocess.PIPE if order.stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(control, report, progress),
            start_new_session=True,
        )

    @property
    def _marked(self) -> str:
        return f"{MARK}={self._mark}"

    # --- while it runs ---

    async def _converse(self, heard: int, report: int) -> None:
        process = self._process
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(process.stdout, self._stdout))
            group.create_task(self._pump(process.stderr, self._stderr))
            group.create_task(self._listen(heard))
            if self._order.stdin is not None:
                group.create_task(self._feed(self._order.stdin))
            group.create_task(self._await_report(report))
        await process.wait()

    async def _await_report(self, report: int) -> None:
        """Read how it ended. Where the supervisor was killed itself, end what it can no longer end.

        The pipe tells that at once; asyncio waits for a process's output too, which others may hold.
        """
        told: dict[str, Any] = {}
        async with _reading(report) as reader:
            for line in (await reader.read()).splitlines():
                told |= json.loads(line)
        if "left" in told:
            self._end = told
        else:
            # It may have been killed before it could tell whom it had started.
            await asyncio.to_thread(hunt, told.get("pid"), self._marked)

    async def _pump(self, stream: asyncio.StreamReader, into: Captured) -> None:
        going = True
        while chunk := await stream.read(CHUNK):
            # What comes after the cap is read and dropped, so that its writer can be ended in peace.
            if not going:
                continue
            small = into.whole and into.size + len(chunk) <= into.keep
            try:
                going = into.take(chunk) if small else await asyncio.to_thread(into.take, chunk)
            except OSError as error:
                self._unkept, going = error, False
            if not going:
                self._stop()

    async def _close_output(self) -> None:
        try:
            await asyncio.to_thread(self._stdout.close)
        except OSError as error:
            self._unkept = self._unkept or error

    async def _feed(self, data: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        # A child may close its input early; what it says about that is on its standard error.
        with suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(data)
            await stdin.drain()
        stdin.close()

    async def _listen(self, heard: int) -> None:
        """Pass on what it says of its progress, the last word of each interval."""
        rest = b""
        told_at = 0.0
        pending: Progress | None = None
        async with _reading(heard) as reader:
            while chunk := await reader.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[:LINE]
                for line in lines:
                    pending = read_progress(line[:LINE]) or pending
                if pending is not None and time.monotonic() - told_at >= PROGRESS_EVERY.total_seconds():
                    await self._say(pending)
                    told_at, pending = time.monotonic(), None
        last = read_progress(rest) or pending
        if last is not None:
            await self._say(last)

    async def _say(self, progress: Progress) -> None:
        if self._tell is not None:
            await self._tell(progress.message, progress.fraction)

    # --- ending it ---

    async def _until_gone(self, whole: asyncio.Task[None], cancelled: asyncio.CancelledError | None) -> None:
        """Wait for its end, and bring it about at the time-out or when cancelled; never leave before."""
        limit = self._order.timeout if cancelled is None else timedelta(0)
        steps: list[Callable[[], object]] = [self._stop, self._kill, self._kill, whole.cancel]
        while not whole.done() and steps:
            try:
                await asyncio.wait({whole}, timeout=limit.total_seconds())
            except asyncio.CancelledError as error:
                cancelled = error
            else:
                if not whole.done() and len(steps) == 4 and cancelled is None:
                    self._timed_out = True
            if whole.done():
                break
            steps.pop(0)()
            limit = self._order.grace + BACKSTOP if len(steps) == 3 else BACKSTOP
        if cancelled is not None:
            # Looked at, so that asyncio does not complain of an error that nobody saw.
            if whole.done() and not whole.cancelled():
                whole.exception()
            raise cancelled
        try:
            await whole
        except BaseExceptionGroup as errors:
            # Whatever broke the conversation off, nothing of it may be left.
            self._close_control()
            await asyncio.to_thread(hunt, None, self._marked)
            await self._process.wait()
            raise first_error(errors) from None

    def _stop(self) -> None:
        """Order its end by SIGTERM and, after the grace, SIGKILL."""
        if self._control >= 0:
            with suppress(BrokenPipeError):
                os.write(self._control, b"t")

    def _kill(self) -> None:
        """Order its end by SIGKILL; the supervisor's too, should it not obey."""
        if self._control >= 0:
            self._close_control()
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _close_control(self) -> None:
        if self._control >= 0:
            os.close(self._control)
            self._control = -1


def _bounds(bounds: Bounds | None) -> dict[str, Any]:
    if bounds is None:
        return {}
    folder = str(bounds.folder) if bounds.folder is not None else None
    return {
        "processes": bounds.processes,
        "memory": bounds.memory,
        "disk": bounds.disk if folder is not None else None,
        "folder": folder,
    }


@asynccontextmanager
async def _reading(descriptor: int) -> AsyncIterator[asyncio.StreamReader]:
    """A reader of a pipe, which is closed with the block."""
    reader = asyncio.StreamReader(limit=CHUNK)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        yield reader
    finally:
        transport.close()
