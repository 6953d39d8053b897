"""Probing: which nodes to ask next whether they are there. Pure.

A first absence calls for the confirming probe as soon as the rule of two probes allows it
(`liveness.PROBE_PAUSE`); until then each node is asked as often as the observer's budget lets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .liveness import PROBE_PAUSE

PROBES_PER_SECOND = 100
"""Of one observer, all nodes together."""
OFTEN = 0.25
"""Seconds between two probes of one node, where there are few."""
MARGIN = 0.005
"""Seconds by which the confirming probe comes later than it might: clocks are read at both ends."""
SHARE = 0.9
"""Part of the budget that regular probes may use; the rest is for those that confirm."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a prober knows of one node; monotonic seconds."""

    every: float
    """Longest pause between two probes of it that is wanted."""
    last: float | None = None
    """When it was last asked."""
    absent_since: float | None = None
    """When a probe first found nobody, without an answer since."""


@dataclass(frozen=True, slots=True)
class Round:
    """Whom to ask now, and when to look again."""

    now: tuple[str, ...]
    again: float
    """Monotonic seconds; infinity: nobody is watched."""


def pace(every: float, watched: int) -> float:
    """Return the pause between two probes of one node that the budget allows, in seconds."""
    return max(every, watched / (PROBES_PER_SECOND * SHARE))


def due(asked: Asked, watched: int) -> float:
    """Return when a node is to be asked next."""
    if asked.last is None:
        return float("-inf")
    if asked.absent_since is not None:
        confirming = asked.absent_since + PROBE_PAUSE + MARGIN
        if asked.last < confirming:
            return confirming
    return asked.last + pace(asked.every, watched)


def next_round(watched: Mapping[str, Asked], now: float, *, budget: int, renewed: float) -> Round:
    """Return whom to ask now: who waits for its confirmation first, then who has waited longest.

    `budget`: how many may be asked now; once it is used up, `renewed` is when there is more.
    """
    number = len(watched)
    when = {node: due(asked, number) for node, asked in watched.items()}
    ready = sorted(
        (node for node, at in when.items() if at <= now),
        key=lambda node: (watched[node].absent_since is None, when[node], node),
    )
    chosen = ready[: max(0, budget)]
    later = [max(renewed, now)] if len(ready) > len(chosen) else []
    later += [at for at in when.values() if at > now]
    later += [now + pace(watched[node].every, number) for node in chosen]
    return Round(tuple(chosen), min(later, default=float("inf")))
