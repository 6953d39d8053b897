"""Background: tasks that live as long as a block, whose failure ends the block."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class BlockEnded(RuntimeError):
    """Raised to whoever starts work in a block that is ending: it was not begun."""


class Background:
    """Starts tasks that are cancelled when the block ends."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending = False

    def start(self, work: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
        """Start a task; if it raises, the block is cancelled and raises that error.

        Raises BlockEnded when the block is ending.
        """
        try:
            if self._ending:
                raise RuntimeError("its block is ending")  # noqa: TRY301 - as the group itself says it
            task = self._group.create_task(work, name=name)
        except RuntimeError as error:
            work.close()
            raise BlockEnded(f"{name or 'work'} was not begun: {error}") from None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """Cancel everything that still runs; nothing can be started any more."""
        self._ending = True
        for task in list(self._tasks):
            task.cancel()


@asynccontextmanager
async def background() -> AsyncIterator[Background]:
    """Run a block with tasks beside it; errors come out as themselves, never as a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = Background(group)
            try:
                yield tasks
            finally:
                tasks.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group, however deep."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
