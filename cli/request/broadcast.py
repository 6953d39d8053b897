"""The flags of a broadcast, and what is said at once where no node would be asked."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import UsageError

if TYPE_CHECKING:
    from ...gateway.asked import Asked
    from ...swarm.records import Broadcast
    from ...swarm.submission import Unroutable
    from ...swarm.swarm import Swarm

Command = TypeVar("Command", bound=Callable[..., Any])


def broadcast_flags(command: Command) -> Command:
    """Add --broadcast, --quorum and --within, as `broadcast`, `quorum` and `within`."""
    for option in (
        click.option(
            "--within", metavar="DURATION", help="With --broadcast: how long to wait for the answers."
        ),
        click.option(
            "--quorum",
            metavar="N|N%",
            help="With --broadcast: how many must answer; also majority. [all]",
        ),
        click.option("--broadcast", is_flag=True, help="Every node with the capability does it, each once."),
    ):
        command = option(command)
    return command


def read_broadcast(
    broadcast: bool,
    quorum: str | None,
    within: str | None,
    *,
    demand: str | None,
    node: str | None,
    unroutable: "Unroutable | None",
) -> "Broadcast | None":
    """Return the broadcast that the flags ask for; None: none. Raises UsageError."""
    if not broadcast:
        for flag, given in (("--quorum", quorum), ("--within", within)):
            if given is not None:
                raise UsageError(f"{flag} says how long or for whom a broadcast waits: add --broadcast")
        return None
    from ...gateway.broadcast import broadcast_of
    from .asked import read_timeout

    if node is not None:
        raise UsageError("--broadcast goes to every node with the capability: leave out --node")
    limit = read_timeout(within, "--within") if within is not None else None
    return broadcast_of(quorum=quorum, within=limit, demand=demand, unroutable=unroutable)


def nobody_to_ask(swarm: "Swarm", asked: "Asked") -> str:
    """Return why no living node would be asked, and what becomes of the broadcast; empty: one would."""
    from ...swarm.demand import parse_demand
    from ...swarm.unroutable import why_unroutable

    if asked.broadcast is None or asked.demand is None:
        return ""
    why = why_unroutable(parse_demand(asked.demand), [member.offer for member in swarm.members.living()])
    if not why or asked.unroutable == "fail":
        return ""
    return f"{why}; the broadcast waits until one does"
