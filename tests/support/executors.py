"""Small executors for tests: they note who ran what, and do what the test tells them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from picoclaw.capabilities.executor import Context, Executors, Readiness
from picoclaw.errors import RetryableError
from picoclaw.swarm.records import QueuedTask, Result

Do = Callable[[QueuedTask, Context], Awaitable[Result]]


async def _nothing(task: QueuedTask, context: Context) -> Result:
    return Result(summary=f"{task.task.step} done")


class Runs:
    """An executor that counts its runs; `do` is what each of them does."""

    def __init__(self, *capabilities: str, do: Do = _nothing, ready: bool = True) -> None:
        self.capabilities = frozenset(capabilities or ("noop",))
        self.ready = ready
        self.tasks: list[str] = []
        """Ids of the tasks, as their runs began."""
        self.began: asyncio.Queue[QueuedTask] = asyncio.Queue()
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.active = 0
        self.most = 0
        """Most runs that were under way at once."""
        self._do = do

    def readiness(self, capability: str) -> Readiness:
        return Readiness(self.ready, "" if self.ready else "a test that makes it ready")

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        self.tasks.append(task.id)
        self.active += 1
        self.most = max(self.most, self.active)
        self.began.put_nowait(task)
        try:
            result = await self._do(task, context)
        except asyncio.CancelledError:
            self.cancelled.append(task.id)
            raise
        finally:
            self.active -= 1
        self.ended.append(task.id)
        return result

    async def next(self, timeout: float = 10.0) -> QueuedTask:
        """Wait until a run begins."""
        async with asyncio.timeout(timeout):
            return await self.began.get()


def executors(*several: Runs) -> Executors:
    """Return them as a node takes them."""
    return {capability: runs for runs in several for capability in runs.capabilities}


class Gate:
    """Holds runs until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, task: QueuedTask, context: Context) -> Result:
        await self.opened.wait()
        return Result(summary=f"{task.task.step} let go")

    def open(self) -> None:
        self.opened.set()


def returning(result: Result) -> Do:
    """What each run returns."""

    async def do(task: QueuedTask, context: Context) -> Result:
        return result

    return do


def raising(error: Exception, *, times: int | None = None) -> Do:
    """Each run, or only the first `times`, raises the error."""
    left = times

    async def do(task: QueuedTask, context: Context) -> Result:
        nonlocal left
        if left is None or left > 0:
            left = None if left is None else left - 1
            raise error
        return await _nothing(task, context)

    return do


def failing(times: int, *, delay: timedelta | None = None) -> Do:
    """The first `times` runs end with a retryable error."""
    return raising(RetryableError("the test said so", delay=delay), times=times)
