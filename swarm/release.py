"""Release: which planned tasks go into the work queue next (DESIGN.md section 4). Pure.

What waits in a lane stays under twice the slots advertised for it, shared among the live
coordinators and, by priority and then round robin, among requests. Every request may have one task
waiting there regardless. So a small request passes a large one.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """One request's part in one lane."""

    request: str
    priority: int
    ready: int
    """Tasks that could be released."""
    waiting: int
    """Tasks of it that are queued in the lane already."""


def lane_budget(slots: int, coordinators: int) -> int:
    """Return how many tasks one coordinator may have waiting in a lane."""
    return max(1, 2 * slots // max(1, coordinators)) if slots else 0


def release(shares: Sequence[Share], *, slots: int, coordinators: int, turn: int = 0) -> dict[str, int]:
    """Return how many tasks to release per request; requests with none are left out.

    `turn` rotates who is served first among equals, so that over many calls nobody is always last.
    """
    granted: dict[str, int] = {}
    room = lane_budget(slots, coordinators) - sum(share.waiting for share in shares)
    for share in shares:
        if share.waiting == 0 and share.ready > 0:
            granted[share.request] = 1
            room -= 1
    for priority in sorted({share.priority for share in shares}, reverse=True):
        peers = [share for share in shares if share.priority == priority]
        start = turn % len(peers)
        peers = peers[start:] + peers[:start]
        while room > 0:
            hungry = [share for share in peers if share.ready > granted.get(share.request, 0)]
            if not hungry:
                break
            # Level first: who has the fewest waiting gets the next place.
            fewest = min(share.waiting + granted.get(share.request, 0) for share in hungry)
            for share in hungry:
                if room > 0 and share.waiting + granted.get(share.request, 0) == fewest:
                    granted[share.request] = granted.get(share.request, 0) + 1
                    room -= 1
    return granted
