"""A stream of events of which none goes on without end: whoever reads them keeps each whole until its empty line."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from .bounds import EventBound

if TYPE_CHECKING:
    import httpx2


async def bound_events(response: "httpx2.Response") -> None:
    """Have an answer raise Endless while it is read, once an event of it does not end: a hook of the client."""
    import httpx2

    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        return

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            bound = EventBound()
            async for chunk in self._stream:
                bound.take(chunk)
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = Bounded(response.stream)
