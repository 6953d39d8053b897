"""A response in pieces, each in its time, that may be cut off; it notices a client that goes away."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Literal

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Ended = Literal["answered", "cut", "left"]


class Pieces(Response):
    """Sends pieces; `cut` of them at most, and then the connection breaks off."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        status: int = 200,
        media_type: str,
        headers: dict[str, str] | None = None,
        first: timedelta = timedelta(),
        between: timedelta = timedelta(),
        cut: int | None = None,
        ended: Callable[[Ended], None],
    ) -> None:
        self.status_code = status
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)
        self._pieces = pieces
        self._first = first
        self._between = between
        self._cut = cut
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        end: Ended = "left"
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                end = sending.result()
        finally:
            self._ended(end)
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> Ended:
        await asyncio.sleep(self._first.total_seconds())
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for number, piece in enumerate(self._pieces):
            if self._cut is not None and number >= self._cut:
                # Returning without an end makes the server close the connection.
                return "cut"
            if number and self._between:
                await asyncio.sleep(self._between.total_seconds())
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self._cut is not None:
            return "cut"
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return "answered"


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
