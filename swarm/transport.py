"""nats-py's TCP transport: closing it takes a limited time, and what greets must be a NATS server."""

import asyncio
from urllib.parse import ParseResult

import nats.errors
from nats.aio.transport import TcpTransport

from .info_line import is_nats_greeting

_CLOSING = 1.0
_STRANGER = "it is something else than NATS"


class PromptTransport(TcpTransport):
    """A transport that raises nats-py's Error for a stranger, and whose `wait_closed` gives up after a second and drops the connection.

    A close waits until everything is written, or TLS has said goodbye. From a server that hangs that
    never comes, and neither a first connect nor a reconnect would get on.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nats-py leaves it without types
        self._greeted = False

    def __bool__(self) -> bool:
        # nats-py takes a false transport for a missing one, and would make a plain one.
        return True

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        # An attempt that failed after TCP is not closed by nats-py, which only forgets it.
        if self._io_writer is not None:
            self._io_writer.transport.abort()
            self._io_writer = self._io_reader = None
        self._greeted = False
        await super().connect(uri, buffer_size, connect_timeout)

    async def readline(self) -> bytes:
        """Return a line; nats-py reads by lines only until the connection stands."""
        try:
            line: bytes = await super().readline()  # type: ignore[no-untyped-call]  # as above
        except ValueError:  # without an end, for as much as is kept
            raise nats.errors.Error(_STRANGER) from None
        greeting, self._greeted = not self._greeted, True
        # An empty line is a connection that was closed, which nats-py tells itself.
        wrong = not is_nats_greeting(line) if greeting else line.startswith(b"-ERR") and b" " not in line
        if line and wrong:
            raise nats.errors.Error(_STRANGER)
        return line

    def writelines(self, payload: list[bytes]) -> None:
        # A client that is closed while it has no connection would write its last words: nobody hears them.
        if self._io_writer is not None:
            self._io_writer.writelines(payload)

    async def drain(self) -> None:
        """Wait until the buffer has room; raises OSError when the connection broke."""
        if self._io_writer is not None:
            await self._io_writer.drain()

    async def wait_closed(self) -> None:
        writer = self._io_writer
        if writer is None:
            return
        try:
            await asyncio.wait_for(writer.wait_closed(), _CLOSING)
        except TimeoutError:
            writer.transport.abort()
        except OSError:
            pass  # it is closed, and that it broke is why it was closed
