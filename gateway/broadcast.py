"""From what a sender says of a broadcast to its record, checked before a connection is made."""

from datetime import timedelta
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..swarm.records import Broadcast
    from ..swarm.submission import Unroutable

EVERYBODY = "all"


def broadcast_of(
    *,
    quorum: int | str | None,
    within: timedelta | None,
    demand: str | None,
    unroutable: "Unroutable | None" = None,
) -> "Broadcast":
    """Return the record of a broadcast to each node that meets the demand.

    `quorum` is a number, `N%`, `majority`, or `all` as is None. Raises UsageError for a quorum or limit
    that is none, and for what a broadcast cannot go with.
    """
    from ..swarm.demand import parse_demand
    from ..swarm.records import Broadcast

    wanted = parse_demand(demand) if demand is not None else None
    if wanted is not None and wanted.node is not None:
        raise UsageError("a broadcast goes to every node that can do it: name a capability, and no node")
    if wanted is None or len(wanted.capabilities) != 1:
        raise UsageError(
            "a broadcast needs one capability, which each node is to do, such as --capability docs"
        )
    if unroutable not in (None, "wait", "fail"):
        raise UsageError(
            f"unroutable {unroutable!r} does not go with a broadcast: without any node it can wait or fail"
        )
    if within is not None and within <= timedelta(0):
        raise UsageError("the time limit of a broadcast must be above zero: write for example 30s")
    return Broadcast(
        quorum=read_quorum(quorum), within_s=within.total_seconds() if within is not None else None
    )


def read_quorum(given: int | str | None) -> int | str | None:
    """Return a quorum as a record has it, None for all. Raises UsageError."""
    if given is None or isinstance(given, bool):
        text = EVERYBODY if given is None else str(given)
    else:
        text = str(given).strip().lower()
    if text in (EVERYBODY, "100%"):
        return None
    if text == "majority":
        return text
    number = text.removesuffix("%").strip()
    if (
        number.isascii()
        and number.isdecimal()
        and 1 <= int(number[:9]) <= (99 if text.endswith("%") else 100_000)
    ):
        return f"{int(number)}%" if text.endswith("%") else int(number)
    raise UsageError(
        f"quorum {str(given)[:80]!r} is none: give a number of nodes, a part such as 60%, majority, or all"
    )
