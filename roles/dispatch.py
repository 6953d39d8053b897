"""Dispatch: puts a request's tasks on their lanes, and sees to it that they stay there.

Two writes, one order: log first, then queue. What a crash leaves between them is mended here.
"""

import logging
from collections.abc import Sequence

from ..swarm.bodies import pack_queued
from ..swarm.demand import Demand
from ..swarm.entries import Queued
from ..swarm.rules import HolderEvidence, needs_queue_message
from .ledger import Ledger

log = logging.getLogger(__name__)

SETTLE = 2.0
"""Seconds that a `queued` entry may stand before its queue message is looked after."""


async def release(ledger: Ledger, steps: Sequence[str]) -> None:
    """Put tasks that were taken from the schedule on their lanes."""
    await ledger.each(release_one(ledger, step) for step in steps)


async def release_one(ledger: Ledger, step: str, lane: str | None = None) -> None:
    """Put one planned task on its lane, or on another one."""
    head = ledger.schedule.heads[step]
    if head.state != "planned":
        return
    task = ledger.schedule.tasks[step]
    entry = Queued(
        by=ledger.me,
        demand=lane or task.demand,
        priority=ledger.request.priority if task.priority is None else task.priority,
        reason="released",
    )
    if await ledger.append_task(step, entry, expected=head.seq) is None:
        ledger.schedule.give_back(step)
        return
    await publish(ledger, step)


async def publish(ledger: Ledger, step: str) -> bool:
    """Give a queued task its message; harmless, and False, when it has one.

    Since it was queued somebody may have ended it, or put it off: a message that bears the sequence
    of that entry would be taken for leave to start.
    """
    if not needs_queue_message(ledger.schedule.heads[step], HolderEvidence(), now=ledger.now):
        return False
    queued = await pack_queued(ledger.queued_task(step), ledger.swarm.artifacts)
    return await ledger.swarm.queue.publish(queued)


async def move(ledger: Ledger, step: str, lane: Demand) -> None:
    """Put a task that nobody serves on another lane."""
    head = ledger.schedule.heads[step]
    if head.demand == str(lane):
        return
    if head.state == "planned":
        ledger.schedule.take(step)
        await release_one(ledger, step, str(lane))
        return
    entry = Queued(
        by=ledger.me,
        attempt=head.attempt,
        excused=head.excused,
        demand=str(lane),
        priority=head.priority,
        reason="nobody else serves it",
    )
    if await ledger.append_task(step, entry, expected=head.seq) is not None:
        await ledger.swarm.queue.withdraw(ledger.request_id, step)
        await publish(ledger, step)


async def reconcile(ledger: Ledger) -> None:
    """Give each queued task whose time has come its message, if it has lost it."""
    now, heads = ledger.now, ledger.schedule.heads
    due = [
        step
        for step in ledger.schedule.queued_steps()
        if heads[step].state == "queued" and now - max(heads[step].at, heads[step].not_before or 0.0) > SETTLE
    ]
    await ledger.each(_restore(ledger, step) for step in due)


async def _restore(ledger: Ledger, step: str) -> None:
    if ledger.schedule.heads[step].state == "queued" and await publish(ledger, step):
        log.info("queue message restored", extra={"task": ledger.task_id(step)})
