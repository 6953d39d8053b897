"""Holders: takes running tasks from holders that are gone, or that let a limit pass."""

import logging
from collections.abc import Coroutine
from typing import Any

from ..swarm.entries import Dead, Failed, Queued
from ..swarm.fold import TaskHead
from ..swarm.rules import Bury, Requeue, on_lost_holder
from .ledger import Ledger

log = logging.getLogger(__name__)

DEADLINE_GRACE = 10.0
"""Seconds past a task's limit after which the owner ends it, its worker having failed to."""


def holders(ledger: Ledger) -> set[str]:
    """Return the nodes that hold running tasks of the request."""
    if not ledger.planned:
        return set()
    return {ledger.schedule.heads[step].node for step in ledger.schedule.running}


async def look_after_holders(ledger: Ledger) -> None:
    """Fence whoever surely no longer runs its task, then hand the task back."""
    works: list[Coroutine[Any, Any, None]] = []
    for step in ledger.schedule.running:
        head, task = ledger.schedule.heads[step], ledger.schedule.tasks[step]
        if task.timeout_s is not None and ledger.now - head.at > task.timeout_s + DEADLINE_GRACE:
            error = f"it ran for over {task.timeout_s:g} s and its worker did not end it"
            works.append(ledger.settle(step, Failed(by=ledger.me, reason="deadline", error=error)))
            continue
        # A worker's own jobs are asked only by itself: this process may run one beside us.
        evidence = ledger.swarm.members.evidence(head, task=ledger.task_id(step), in_my_jobs=True)
        decision = on_lost_holder(head, evidence, max_attempts=ledger.max_attempts(task))
        if decision is not None:
            why = f"node offline: {head.node}" if evidence.run_dead else f"lost by {head.node}"
            works.append(_take(ledger, step, head, decision, why))
    await ledger.each(works)


async def _take(ledger: Ledger, step: str, head: TaskHead, decision: Requeue | Bury, why: str) -> None:
    swarm, task = ledger.swarm, ledger.task_id(step)
    if isinstance(decision, Bury):
        dead = Dead(by=ledger.me, attempt=decision.attempt, error=why, node=head.node)
        seq = await ledger.append_task(step, dead, expected=decision.expected)
        if seq is None:
            return  # the holder, or another owner, was first
        log.error("Task is dead: %s", why, extra={"task": task, "attempt": decision.attempt})
        await swarm.fence(head.node, task, seq)
        await swarm.bury(ledger.queued_task(step), dead)
        await swarm.queue.withdraw(ledger.request_id, step)
        return
    queued = Queued(
        by=ledger.me,
        attempt=decision.attempt,
        excused=decision.excused,
        demand=head.demand,
        priority=head.priority,
        reason=why,
    )
    seq = await ledger.append_task(step, queued, expected=decision.expected)
    if seq is None:
        return
    log.warning("Task taken from its holder: %s", why, extra={"task": task})
    # Fence, then hand back: the other order would let the old holder's word stand beside the new one's.
    await swarm.fence(head.node, task, seq)
    await swarm.queue.hand_back(head.ack)
