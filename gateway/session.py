"""A session: find the swarm, connect once, and look at it without being a node of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreTooNew, SwarmError
from .asked import Tell, ignore

if TYPE_CHECKING:
    from nats.aio.client import Client

    from ..config.load import Loaded
    from ..swarm.swarm import Swarm

FIRST_WAIT = timedelta(0)
"""A door does not wait for a server to come: it says that there is none."""


def import_session(*more: str) -> None:
    """Import what `open_session` needs, and `more` modules of its floor, for who has little time to open one."""
    from ..swarm.nats_import import import_nats

    import_nats()
    for name in ("connection", "locate", "streams", "swarm", *more):
        import_module(f"..swarm.{name}", __package__)


@asynccontextmanager
async def open_session(
    loaded: "Loaded",
    *,
    make: bool = False,
    name: str = "picoclaw",
    home: Path | None = None,
    tell: Tell = ignore,
) -> AsyncIterator["Swarm"]:
    """Open the swarm that flags, environment, file or this machine's shared server lead to.

    Nothing is started. Without `make` a swarm that is not there raises SwarmError, which says where
    the address came from. Raises what connecting raises, and StoreTooNew. `home` is `~/.picoclaw`
    unless given; `tell` hears of a connection that is lost and found again.
    """
    from ..swarm.connection import connect
    from ..swarm.locate import locate, shown
    from ..swarm.streams import STORE_VERSION, version_of_store
    from ..swarm.swarm import open_swarm

    located = locate(loaded, home=home)
    where = f"{shown(located.nats)} ({located.source})"

    async def dial(
        disconnected: Callable[[], Awaitable[None]], reconnected: Callable[[], Awaitable[None]]
    ) -> "Client":
        return await connect(
            located.nats,
            name=name,
            first_wait=FIRST_WAIT,
            source=located.source,
            on_disconnect=disconnected,
            on_reconnect=reconnected,
            on_problem=tell,
        )

    async with AsyncExitStack() as stack:
        opening = open_swarm(dial, located.nats, hid=loaded.settings.swarm.hid, make=make)
        try:
            swarm = await stack.enter_async_context(opening)
        except SwarmError as error:
            if type(error) is not SwarmError:
                raise
            raise SwarmError(f"{where}: {error}") from None
        version = await version_of_store(swarm.wire, swarm.names)
        if version is None:
            raise SwarmError(
                f"no swarm with H-id {swarm.names.hid!r} has ever run on the NATS server at {where}: check "
                "--swarm.hid and --swarm.nats.urls, or start a node with them"
            )
        if version > STORE_VERSION:
            raise StoreTooNew(
                f"the swarm at {where} was written by a newer PicoClaw (store version {version}, this one "
                f"understands {STORE_VERSION}): upgrade this command"
            )
        yield swarm
