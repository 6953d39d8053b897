"""Release: which planned tasks go into the work queue next (DESIGN.md section 4). Pure.

What waits in a lane stays under twice the slots advertised for it, shared among the live
coordinators and, by priority and then round robin, among requests. Every request may have one task
waiting there regardless. So a small request passes a large one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

OTHERS_FIRST_EVERY = 8


@dataclass(frozen=True, slots=True)
class Share:
    """One request's part in one lane."""

    request: str
    priority: int
    ready: int
    """Tasks that could be released."""
    waiting: int
    """Tasks of it that are queued in the lane already."""
    room: int | None = None
    """How many more tasks it may put out anywhere, by its quota; None: any number."""

    @property
    def wanted(self) -> int:
        """Tasks that could be released within its quota."""
        return self.ready if self.room is None else max(0, min(self.ready, self.room))


def lane_budget(slots: int, coordinators: int) -> int:
    """Return how many tasks one coordinator may have waiting in a lane."""
    return max(1, 2 * slots // max(1, coordinators)) if slots else 0


def release(
    shares: Sequence[Share], *, slots: int, coordinators: int, turn: int = 0, most: int | None = None
) -> dict[str, int]:
    """Return how many tasks to release per request; requests with none are left out.

    `turn` rotates who is served first among equals, so that over many calls nobody is always last.
    `most`: how many tasks all these requests may put out together, by a quota; every eighth turn another
    priority than the highest comes first to what little that leaves. None: any number.
    """
    granted: dict[str, int] = {}
    left = sum(share.wanted for share in shares) if most is None else most
    room = lane_budget(slots, coordinators) - sum(share.waiting for share in shares)
    rounds, place = divmod(turn, OTHERS_FIRST_EVERY)
    levels = []
    for priority in sorted({share.priority for share in shares}, reverse=True):
        peers = [share for share in shares if share.priority == priority]
        # By the rounds too: else every eighth turn would begin with the same one, again and again.
        start = (turn + rounds) % len(peers) if most is not None else turn % len(peers)
        levels.append(peers[start:] + peers[:start])
    if most is not None and levels and place == OTHERS_FIRST_EVERY - 1:
        first = rounds % len(levels)
        levels = levels[first:] + levels[:first]
    for share in (share for peers in levels for share in peers):
        if share.waiting == 0 and share.wanted > 0 and left > 0:
            granted[share.request] = 1
            room -= 1
            left -= 1
    for peers in levels:
        while room > 0 and left > 0:
            hungry = [share for share in peers if share.wanted > granted.get(share.request, 0)]
            if not hungry:
                break
            # Level first: who has the fewest waiting gets the next place.
            fewest = min(share.waiting + granted.get(share.request, 0) for share in hungry)
            for share in hungry:
                if room > 0 and left > 0 and share.waiting + granted.get(share.request, 0) == fewest:
                    granted[share.request] = granted.get(share.request, 0) + 1
                    room -= 1
                    left -= 1
    return granted
