"""A verb's session: one connection to the swarm, for as long as the verb works."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import echo_warning

if TYPE_CHECKING:
    from ..config.load import Loaded
    from ..swarm.swarm import Swarm


def run_session(
    loaded: "Loaded", work: Callable[["Swarm"], Awaitable[int]], *, name: str = "picoclaw"
) -> int:
    """Run `work` on the swarm that the settings lead to, and return its exit code."""
    from .printing.progress import spinning

    quiet_logs(loaded)

    async def session() -> int:
        async with spinning("waiting for the swarm"), open_session(loaded, name=name) as swarm:
            return await work(swarm)

    return asyncio.run(session())


def open_session(
    loaded: "Loaded", *, make: bool = False, name: str = "picoclaw", home: Path | None = None
) -> "AbstractAsyncContextManager[Swarm]":
    """Open the swarm as every door does, and print what happens to the connection."""
    from ..swarm.nats_import import import_nats

    import_nats()
    from ..gateway import session

    return session.open_session(loaded, make=make, name=name, home=home, tell=echo_warning)


def quiet_logs(loaded: "Loaded") -> None:
    """Log what was asked for by `--log.level`, and else only errors: a verb speaks for itself."""
    if loaded.given("log.level"):
        from .logs.log_setup import set_up_logs

        set_up_logs(loaded.settings.log)
        return
    logging.getLogger("picoclaw").setLevel(logging.ERROR)
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    # It warns of what a TLS connection does at its end, which concerns nobody.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
