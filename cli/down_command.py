"""`picoclaw down`: drain this machine's nodes, then end the shared server."""

import signal
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, SwarmTimeout, UsageError

if TYPE_CHECKING:
    from ..swarm.embedded.rundir import NodeEntry

_POLL = 0.02

EPILOG = """\b
Examples:
  picoclaw down
  picoclaw down --wait 5m
  picoclaw down --purge --yes

\b
Exit codes: 0 done (nothing to do too), 1 nodes were still there in the end,
2 wrong usage, 3 the server could not be stopped.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--purge", is_flag=True, help="Also remove the shared server's store: all requests and results."
)
@click.option("--yes", is_flag=True, help="With --purge: do not ask.")
@click.option(
    "--wait", "wait", default="60s", show_default=True, metavar="DURATION", help="How long nodes may drain."
)
def down(purge: bool, yes: bool, wait: str) -> int:
    """Drain this machine's nodes and stop its shared server; the data stays unless --purge is given.

    Only nodes of this user on this machine are touched.
    """
    import asyncio

    from ..config.durations import parse_duration
    from ..swarm.embedded.rundir import live_nodes, picoclaw_home
    from ..swarm.embedded.shared import EmbeddedServer

    try:
        limit = parse_duration(wait)
    except ConfigError as error:
        raise UsageError(f"--wait: {error}") from None
    if yes and not purge:
        raise UsageError("--yes goes with --purge only: leave it out, or add --purge")
    server = EmbeddedServer(home=picoclaw_home())
    nodes = live_nodes(server.run)
    running = server.seen()
    stored = server.store.is_dir()
    if not nodes and running is None and not (purge and stored):
        click.echo(
            f"nothing to do: no node and no shared server of this user runs on this machine ({server.run})"
        )
        return 0
    if purge and stored and not yes:
        _confirm(server.store)
    _drain(nodes, limit)
    asyncio.run(server.purge() if purge else server.stop())
    if running is not None:
        click.echo(f"shared nats-server stopped (pid {running.pid}, {running.url})")
    if purge:
        click.echo(f"store removed: {server.store}" if stored else f"no store to remove: {server.store}")
    elif stored:
        click.echo(f"its data stays in {server.store}; `picoclaw down --purge` removes it")
    return 0


def _confirm(store: Path) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"--purge removes {store} for good: add --yes to say so where nobody can be asked")
    click.confirm(f"Remove {store} with all requests, results and artifacts in it, for good?", abort=True)


def _drain(nodes: Iterable["NodeEntry"], limit: timedelta) -> None:
    """Tell each node to drain and wait for all. Raises SwarmTimeout, which names those that stayed."""
    from ..swarm.embedded.process import birth, send

    left = []
    for node in nodes:
        if birth(node.pid) == node.birth and send(node.pid, signal.SIGTERM):
            click.echo(f"draining {node.name} ({node.role}, pid {node.pid})")
            left.append(node)
    deadline = time.monotonic() + limit.total_seconds()
    while left:
        for node in [node for node in left if birth(node.pid) != node.birth]:
            left.remove(node)
            click.echo(f"{node.name} has left" + (f"; waiting for {len(left)} more" if left else ""))
        if left and time.monotonic() > deadline:
            named = ", ".join(f"{node.name} (pid {node.pid})" for node in left)
            pids = " ".join(str(node.pid) for node in left)
            raise SwarmTimeout(
                f"still draining after {limit.total_seconds():g} s: {named}. The shared server was left running "
                f"for them: wait and repeat `picoclaw down`, or end them with `kill -9 {pids}` (their tasks go "
                "to other nodes)"
            )
        if left:
            time.sleep(_POLL)
