"""Quorum: how many nodes of a broadcast must answer, and what is said when too few do. Pure."""

from collections.abc import Sequence

from ...errors import PlanError
from .outcome import Outcome

MAJORITY = "majority"
SHOWN_NODES = 10
"""Nodes that an error names; the report has all of them."""


def needed(quorum: int | str | None, asked: int) -> int:
    """Return how many of the nodes asked must answer: a number, `majority`, `N%`, or None for all."""
    if quorum is None:
        return asked
    if isinstance(quorum, int):
        return quorum
    if quorum == MAJORITY:
        return asked // 2 + 1
    return max(1, -(-asked * int(quorum.removesuffix("%")) // 100))


def check_quorum(quorum: int | str | None, asked: int) -> None:
    """Raise PlanError for a quorum that so few nodes cannot make."""
    wanted = needed(quorum, asked)
    if wanted > asked:
        raise PlanError(
            f"{wanted} nodes were to answer and only {asked} could be asked: start more nodes, or ask for a "
            "smaller --quorum"
        )


def out_of_reach(quorum: int | str | None, *, asked: int, answered: int, still_open: int) -> bool:
    """Return whether too many nodes have ended without an answer for the rest to make the quorum."""
    return answered + still_open < needed(quorum, asked)


def too_few(quorum: int | str | None, outcomes: Sequence[Outcome], silent: Sequence[str]) -> str:
    """Return why a broadcast failed; empty when enough nodes answered.

    `silent` holds a line for each node that did not, with the reason.
    """
    asked, answered = len(outcomes), sum(1 for outcome in outcomes if outcome.state == "done")
    wanted = needed(quorum, asked)
    if answered >= wanted:
        return ""
    shown = "; ".join(silent[:SHOWN_NODES])
    more = f"; and {len(silent) - SHOWN_NODES} more" if len(silent) > SHOWN_NODES else ""
    were = "was" if wanted == 1 else "were"
    return f"{answered} of {asked} node{'s' * (asked != 1)} answered, {wanted} {were} needed: {shown}{more}"
