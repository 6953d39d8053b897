"""What a shell's completion finds out: silent on every failure, and quick or not at all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..flags import load_settings

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm

LIMIT = timedelta(milliseconds=300)
"""How long a shell waits for a swarm after Tab."""


def request_ids(ctx: click.Context) -> list[str]:
    """Return the ids of requests, newest first; none where no swarm answers in time."""

    async def read(swarm: "Swarm") -> list[str]:
        from ...swarm.look import list_requests

        return [listed.id for listed in await list_requests(swarm)]

    return _ask(ctx, read, "look")


def node_names(ctx: click.Context) -> list[str]:
    """Return the names of the swarm's nodes; none where no swarm answers in time."""

    async def read(swarm: "Swarm") -> list[str]:
        await swarm.read_members()
        return sorted(member.beat.node for member in swarm.members.table.values())

    return _ask(ctx, read)


def everything(ctx: click.Context) -> list[str]:
    """Return the names of nodes and the ids of requests."""

    async def read(swarm: "Swarm") -> list[str]:
        from ...swarm.look import list_requests

        await swarm.read_members()
        names = sorted(member.beat.node for member in swarm.members.table.values())
        return names + [listed.id for listed in await list_requests(swarm)]

    return _ask(ctx, read, "look")


def letter_ids(ctx: click.Context) -> list[str]:
    """Return the ids of the dead letters."""

    async def read(swarm: "Swarm") -> list[str]:
        from ...swarm.dead_letters import read_letters

        return [letter.id for letter in await read_letters(swarm)]

    return _ask(ctx, read, "dead_letters")


def agent_names(ctx: click.Context) -> list[str]:
    """Return the names of the registry's agents and of those that nodes serve."""

    async def read(swarm: "Swarm") -> list[str]:
        from ...swarm.agents.store import list_agents

        await swarm.read_members()
        served = {name for member in swarm.members.table.values() for name in member.beat.agents}
        return sorted(served | {one.record.name for one in await list_agents(swarm)})

    return _ask(ctx, read, "agents.store")


def approval_ids(ctx: click.Context) -> list[str]:
    """Return the ids of the questions that wait for an answer."""

    async def read(swarm: "Swarm") -> list[str]:
        from ...swarm.approvals.store import list_open

        return [asked.record.id for asked in await list_open(swarm)]

    return _ask(ctx, read, "approvals.store")


def schedule_names(ctx: click.Context) -> list[str]:
    """Return the names of what recurs; none where no swarm answers in time."""

    async def read(swarm: "Swarm") -> list[str]:
        from ...swarm.cron.store import list_schedules

        return [standing.schedule.name for standing in await list_schedules(swarm)]

    return _ask(ctx, read, "cron.store")


def logged_nodes() -> list[str]:
    """Return the names of this machine's nodes that have a log."""
    from ...swarm.embedded.rundir import picoclaw_home
    from ..logs.log_file import log_folder
    from ..logs.node_logs import logged_names

    try:
        return logged_names(log_folder(picoclaw_home()))
    except (OSError, UsageError):
        return []


def _ask(ctx: click.Context, read: Callable[["Swarm"], Awaitable[list[str]]], *needed: str) -> list[str]:
    """Return what `read` brings in time; `needed` are the modules of the floor `swarm` that it imports."""
    logging.disable(logging.CRITICAL)
    try:
        # Before the clock runs: on a busy machine the imports take longer than a swarm may.
        from ...gateway.session import import_session, open_session

        import_session(*needed)
        loaded = load_settings(ctx, quiet=True)

        async def ask() -> list[str]:
            async with (
                asyncio.timeout(LIMIT.total_seconds()),
                open_session(loaded, name="picoclaw completion") as swarm,
            ):
                return await read(swarm)

        return asyncio.run(ask())
    except Exception:  # noqa: BLE001  # a shell that completes must never show an error, whatever it is
        return []
