"""Deadlines of tasks: each ends failed once all its attempts and pauses have taken too long."""

from collections.abc import Coroutine, Mapping
from typing import Any

from ..swarm.entries import Failed
from .ledger import Ledger


def passed(ledger: Ledger) -> list[str]:
    """Return the steps whose deadline has passed, by server time since they were first queued."""
    schedule, now, found = ledger.schedule, ledger.now, []
    for step in (*schedule.running, *schedule.queued_steps()):
        head, limit = schedule.heads[step], schedule.tasks[step].deadline_s
        if limit is None or head.queued_at is None or head.terminal:
            continue
        if now - head.queued_at > limit:
            found.append(step)
    return found


async def end_late_tasks(ledger: Ledger, unserved: Mapping[str, str]) -> None:
    """End what is past its deadline, and fence who holds it.

    `unserved`: demand to why no node serves it, for what failed while it waited for one.
    """
    steps = passed(ledger)
    works: list[Coroutine[Any, Any, None]] = [_end(ledger, step, unserved) for step in steps]
    await ledger.each(works)


async def _end(ledger: Ledger, step: str, unserved: Mapping[str, str]) -> None:
    head, task = ledger.schedule.heads[step], ledger.schedule.tasks[step]
    error = f"its deadline of {task.deadline_s:g} s passed"
    if head.state == "running":
        error += f" in attempt {head.attempt}, on {head.node}"
    elif head.attempt > 1:
        error += f" before attempt {head.attempt}; the one before: {head.reason}"
    elif why := unserved.get(task.demand):
        error += f" while it waited: {why}"
    entry = Failed(by=ledger.me, reason="deadline", error=error, attempt=head.attempt, node=head.node)
    await ledger.settle(step, entry)
    await ledger.swarm.queue.withdraw(ledger.request_id, step)
