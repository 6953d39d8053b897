"""A stream that comes in one burst does not hold up the event loop, whose heartbeats must go on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")

_EVERY = 64
"""Pieces after which others have a turn: a few milliseconds of work."""


async def breathing(stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yield what the stream yields, letting others run now and then; the stream is closed at the end."""
    async with aclosing(stream) as pieces:
        count = 0
        async for piece in pieces:
            yield piece
            count += 1
            if count % _EVERY == 0:
                await asyncio.sleep(0)
