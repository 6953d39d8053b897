"""Quotas: which part of what a whole H-id may have at work one coordinator may put out. Pure.

The quota is divided among the coordinators that own open requests, so that the sum of the parts is the
quota, whatever each of them does not know of the others. What does not divide goes round: each gets it
for a while, so that a quota below the number of coordinators starves none of them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

WINDOW = 10.0
"""Seconds of server time for which a coordinator keeps its part of the remainder."""
GUARD = 2.0
"""Seconds after which a part that has grown is used: by then whoever lost it has heard of that."""

LONGEST_GAP = 1.0
"""Longest time between two looks at who shares a quota, in seconds; with what news take it stays below `GUARD`."""


def part(quota: int, sharers: Collection[str], me: str, window: int) -> int:
    """Return what `me` may have out of `quota`; 0 for who is none of the `sharers`."""
    ordered = sorted(sharers)
    if me not in ordered:
        return 0
    whole, rest = divmod(quota, len(ordered))
    return whole + ((ordered.index(me) - window) % len(ordered) < rest)


@dataclass(slots=True)
class Part:
    """One coordinator's part as time goes by: one that shrinks holds at once, one that grows after a guard."""

    _since: list[tuple[float, int]] = field(default_factory=list)
    """Since when each value was to hold, the oldest first; each until the next."""
    _looked: float = 0.0
    """When it was last asked."""

    def now(self, quota: int, sharers: Collection[str], me: str, at: float) -> int:
        """Return what may be out at a server time, in seconds.

        Ask every second at least: who did not look for longer begins again, as somebody else may have
        come and gone meanwhile.
        """
        if at - self._looked > LONGEST_GAP:
            self._since.clear()
        self._looked = at
        wanted = min(
            part(quota, sharers, me, int(at // WINDOW)), part(quota, sharers, me, int((at - GUARD) // WINDOW))
        )
        if not self._since or self._since[-1][1] != wanted:
            if not self._since:
                self._since.append((at, 0))
            self._since.append((at, wanted))
        while len(self._since) > 1 and self._since[1][0] <= at - GUARD:
            del self._since[0]
        return min(value for _, value in self._since)


def excess(quota: int, sharers: Collection[str], out: Mapping[str, int], me: str, at: float) -> int:
    """Return what the others have out beyond their parts at a server time: a part may shrink under running tasks.

    `out`: what each has at work; who is none of the `sharers` has no part.
    """
    windows = int(at // WINDOW), int((at - GUARD) // WINDOW)
    return sum(
        max(0, number - min(part(quota, sharers, other, window) for window in windows))
        for other, number in out.items()
        if other != me
    )


def room(quota: int, part: int, *, mine: int, others: int, excess: int = 0) -> int:
    """Return how many more tasks may go out, where `mine` and `others` are out already.

    `excess`: what others have beyond their parts. Each leaves all of it free, as none knows what the
    rest put out at this moment.
    """
    return max(0, min(part - mine - excess, quota - mine - others))
