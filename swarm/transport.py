"""nats-py's TCP transport, so that closing it takes a limited time."""

import asyncio
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

_CLOSING = 1.0


class PromptTransport(TcpTransport):
    """A transport whose `wait_closed` gives up after a second and drops the connection.

    A close waits until everything is written, or TLS has said goodbye. From a server that hangs that
    never comes, and neither a first connect nor a reconnect would get on.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nats-py leaves it without types

    def __bool__(self) -> bool:
        # nats-py takes a false transport for a missing one, and would make a plain one.
        return True

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        # An attempt that failed after TCP is not closed by nats-py, which only forgets it.
        if self._io_writer is not None:
            self._io_writer.transport.abort()
            self._io_writer = self._io_reader = None
        await super().connect(uri, buffer_size, connect_timeout)

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
