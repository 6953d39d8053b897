"""Speech: the text of an answer as it comes, told to whoever watches, in pieces that are worth a message."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

PAUSE = 0.1
"""Seconds between two messages."""
MOST = 64 * 1024
"""Characters that wait at most; what comes on top while nobody takes them is not told."""


class Speech:
    """Collects text, and says it in the background; an async context manager."""

    def __init__(self, say: Callable[[str], Awaitable[None]]) -> None:
        self._say = say
        self._pieces: list[str] = []
        self._waiting = 0
        self._ended = True
        """What was said ends with its line."""
        self._woken = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="say")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if error is None:
            if not self._ended:
                self._pieces.append("\n")
            await self._flush()

    def add(self, text: str) -> None:
        """Take a piece; never blocks."""
        text = text[: MOST - self._waiting]
        if text:
            self._pieces.append(text)
            self._waiting += len(text)
            self._ended = text.endswith("\n")
            self._woken.set()

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self._flush()
            await asyncio.sleep(PAUSE)

    async def _flush(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if text:
            await self._say(text)
