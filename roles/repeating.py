"""Repeating: the owner of a retry takes the earlier request's plan, and what was done there, over.

What is carried is written to the new request's log before its plan, so that no task of the plan can be
released that is not to run. A crash between leaves entries that the next owner finds and keeps.
"""

import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from ..errors import AppendRefused, PlanError
from ..swarm.bodies import pack_result
from ..swarm.entries import Cancelled, CancelReason, Dead, Done, Entry, Failed, FailReason
from ..swarm.fold import TaskHead, fold_task
from ..swarm.log import decode
from ..swarm.records import Plan, Result
from ..swarm.repeating import steps_to_run
from ..swarm.subjects import REQUEST_ID
from .ledger import Ledger, Purged

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Repeated:
    """An earlier request's plan, and what is carried from there."""

    plan: Plan
    carried: dict[str, tuple[Entry, int]] = field(default_factory=dict)
    """Step to its entry in the new request's log, and that one's sequence."""

    def observe(self, ledger: Ledger) -> None:
        """Tell the schedule, which begins with the plan, what had been written down before."""
        for step, (entry, seq) in self.carried.items():
            head = fold_task(TaskHead(), entry, seq, ledger.now)
            ledger.schedule.observe(step, head, entry.result if isinstance(entry, Done) else None)


async def repeat(ledger: Ledger) -> Repeated | None:
    """Write down what is carried and return the plan; None: the earlier request had none.

    Raises PlanError when it cannot be repeated, SwarmError.
    """
    retried = ledger.request.retried
    assert retried is not None
    if not REQUEST_ID.fullmatch(retried.request) or retried.request == ledger.request_id:
        raise PlanError(f"it is to retry {retried.request[:80]!r}, which is no earlier request")
    old = Ledger(ledger.swarm, retried.request)
    try:
        await old.load()
    except Purged:
        raise PlanError(
            f"{retried.request}, which it is to retry, is no longer stored: send it again"
        ) from None
    if old.lost:
        raise PlanError(f"{retried.request}, which it is to retry, cannot be read: {old.lost}")
    if not old.head.terminal:
        raise PlanError(f"{retried.request}, which it is to retry, has not ended")
    if not old.planned:
        return None
    schedule = old.schedule
    # What got done in the meantime, in a retry of the retry, is none of those any more.
    wanted = [
        step for step in retried.steps if step in schedule.tasks and schedule.heads[step].state != "done"
    ]
    if retried.steps and not wanted:
        raise PlanError(f"{retried.request}: each of the tasks that were to run again is done")
    running = steps_to_run(schedule.plan, schedule.heads, wanted)
    repeated = Repeated(_anew(schedule.plan))
    works: list[Coroutine[Any, Any, None]] = [
        _carry(ledger, old, step, repeated) for step in schedule.tasks if step not in running
    ]
    await ledger.each(works)
    return repeated


def _anew(plan: Plan) -> Plan:
    """Return a plan as the first one of its request: what a model changed of it counts from there again."""
    if plan.planning is None:
        return plan
    return plan.model_copy(
        update={"planning": plan.planning.model_copy(update={"revision": 1, "settled": (), "dropped": ()})}
    )


async def _carry(ledger: Ledger, old: Ledger, step: str, repeated: Repeated) -> None:
    ledger.check_ownership()
    head, result = old.schedule.heads[step], old.schedule.results.get(step)
    if head.state == "done" and (result is None or not await _keep(ledger, result)):
        log.warning(
            "the result of %s is no longer stored: the task runs again", old.task_id(step),
            extra={"request": ledger.request_id},
        )  # fmt: skip
        return
    if result is not None:
        inline = await ledger.swarm.inbox.inline_limit()
        result = await pack_result(result, ledger.swarm.artifacts, inline=inline)
    entry, expected = _entry(ledger, old, head, result), 0
    while True:
        try:
            seq = await ledger.swarm.log.append(ledger.request_id, step, entry, expected=expected)
        except AppendRefused:
            # An owner before this one did it, or a foreign message stands there.
            expected = 0
            async for followed in ledger.swarm.log.history(ledger.request_id, step):
                expected, written = followed.seq, decode(followed)
                if isinstance(written, Done | Failed | Cancelled | Dead):
                    repeated.carried[step] = (written, followed.seq)
                    return
            continue
        repeated.carried[step] = (entry, seq)
        return


async def _keep(ledger: Ledger, result: Result) -> bool:
    """See to it that all bodies of a result outlive the new request; False: one is gone."""
    for ref in (*((result.ref,) if result.ref is not None else ()), *result.artifacts):
        if not await ledger.swarm.artifacts.renew(ref):
            return False
    return True


def _entry(ledger: Ledger, old: Ledger, head: TaskHead, result: Result | None) -> Entry:
    """Return the entry by which a task ends here as it ended there."""
    me, origin = ledger.me, head.carried or old.request_id
    if head.state == "done":
        assert result is not None
        return Done(by=me, node=head.node, attempt=head.attempt, result=result, carried=origin)
    kind, _, said = head.reason.partition(": ")
    if head.state == "failed":
        return Failed(
            by=me,
            reason=cast(FailReason, kind),
            error=said,
            attempt=head.attempt,
            node=head.node,
            carried=origin,
        )
    if head.state == "dead":
        return Dead(by=me, attempt=head.attempt, error=head.reason, node=head.node, carried=origin)
    return Cancelled(by=me, reason=cast(CancelReason, kind), why=said, carried=origin)
