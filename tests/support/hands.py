"""Hands: a load that several tasks keep up until its block ends."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Hands(ABC):
    """`async with load:` runs `hand` as often as `hands` says, each until `stopping` is set.

    What failed in one of them is raised where the block ends, unless the block failed itself.
    """

    hands: int = 4
    stopping: bool = False
    _at_work: tuple[asyncio.Task[None], ...] = ()

    @abstractmethod
    async def hand(self) -> None:
        """Do one thing after the other while it is not `stopping`."""

    async def __aenter__(self) -> Self:
        self._at_work = tuple(asyncio.create_task(self.hand()) for _ in range(self.hands))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping = True
        if kind is not None:
            for task in self._at_work:
                task.cancel()
        results = await asyncio.gather(*self._at_work, return_exceptions=True)
        failures = [result for result in results if isinstance(result, Exception)]
        if kind is None and failures:
            raise failures[0]
