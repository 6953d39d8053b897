"""The server itself: loopback, one socket, gone when it is told to be."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from ....errors import UsageError
from .app import Playing, make_app

HOST = "127.0.0.1"
BACKLOG = 512


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(playing: Playing, *, port: int = 0) -> AsyncIterator[int]:
    """Serve while the block runs, and give it the port. Raises UsageError for a port that is taken."""
    with _listening(port) as listener:
        server = _Server(
            uvicorn.Config(
                make_app(playing),
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="critical",  # a connection that is cut on purpose is an error to it
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(BACKLOG)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise UsageError(
                f"port {port} of {HOST} cannot be used ({why}): name another with --port"
            ) from None
        yield listener
