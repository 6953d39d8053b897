"""What a journal says was spent: what its turns took, and what may have been billed without an answer. Pure."""

from collections.abc import Iterable

from ....swarm.steps import Intent, Outcome, Step
from ..models.conversation import TURN
from .account import NOTHING, Spent, of_lost, of_usage


def spent_in(steps: Iterable[Step]) -> Spent:
    """Return what the turns of a journal took; those in flight at a crash, or now, at their worst case.

    The bodies of turns must be there: one that lies elsewhere counts at its worst case.
    """
    spent, open_ = NOTHING, dict[int, Intent]()
    for step in steps:
        if isinstance(step, Intent) and step.what != "tool":
            if (before := open_.get(step.number)) is not None:
                spent += of_lost(before.reserved_usd, before.reserved_tokens)
            open_[step.number] = step
        elif isinstance(step, Outcome) and (begun := open_.pop(step.number, None)) is not None:
            if step.maybe_billed:
                spent += of_lost(begun.reserved_usd, begun.reserved_tokens, step.maybe_billed)
            if step.state == "ok":
                spent += _taken(begun, step)
    return sum((of_lost(one.reserved_usd, one.reserved_tokens) for one in open_.values()), spent)


def _taken(begun: Intent, outcome: Outcome) -> Spent:
    body = outcome.body
    if begun.what == "compact":
        body = body.get("turn") if isinstance(body, dict) else None
        if body is None:
            return NOTHING  # it was done without a model
    if body is None:
        return of_lost(begun.reserved_usd, begun.reserved_tokens)
    return of_usage(TURN.validate_python(body).usage)
