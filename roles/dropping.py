"""Dropping: ends what a later plan of a request needs no more."""

from ..swarm.entries import Cancelled
from .ledger import Ledger


async def end_dropped(ledger: Ledger) -> None:
    """End the dropped tasks that have not begun, whoever dropped them: their coordinator may be gone.

    What has begun meanwhile is not worth less for it. Raises as `Ledger.append_task`.
    """
    planning = ledger.schedule.plan.planning
    for step in planning.dropped if planning is not None else ():
        head = ledger.schedule.heads.get(step)
        if head is not None and head.state in ("planned", "queued"):
            entry = Cancelled(by=ledger.me, reason="replanned", why="a later plan needs it no more")
            # As it stands here, and not over what a worker has begun since: a later look does the rest.
            await ledger.append_task(step, entry, expected=head.seq)
