"""Ending: joins the results of a request whose tasks have all ended, and says how it ends."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..capabilities.elsewhere import LARGE, elsewhere
from ..errors import SwarmError
from ..swarm.bodies import pack_report
from ..swarm.entries import Cancelled, Done, Failed, RequestEntry
from ..swarm.records import Result
from .late import waited_for
from .ledger import Ledger
from .synthesis.bodies import join_bodies
from .synthesis.by_model.name import BY_MODEL
from .synthesis.outcome import Outcome
from .synthesis.room import MOST_BYTES, without_room

if TYPE_CHECKING:
    from .synthesis.by_model.written import Written
    from .thinking.mind import Mind

log = logging.getLogger(__name__)


async def last_entry(ledger: Ledger, mind: "Mind | None" = None) -> RequestEntry:
    """Return the entry that ends the request, with its report as far as there is one."""
    if ledger.lost and not ledger.head.cancelling:
        return Failed(by=ledger.me, reason="error", error=ledger.lost)
    if not ledger.planned:
        return Cancelled(by=ledger.me, reason="person", why=ledger.head.cancelling or "cancelled")
    outside = without_room({step: ledger.schedule.results.get(step) for step in ledger.schedule.tasks})
    bodies: dict[str, bytes] = {}
    outcomes = [
        await _outcome(ledger, step, bodies, fetch=step not in outside) for step in ledger.schedule.tasks
    ]
    written: Written | str | None = None
    if ledger.schedule.plan.join == BY_MODEL:
        from .thinking.writing import write_report

        written = await write_report(ledger, mind, outcomes, bodies)
    told = (ledger.schedule.plan, ledger.request, outcomes, bodies, written)
    try:
        if sum(map(len, bodies.values())) > LARGE:
            # Reading millions of values stops every thread, and with them the heartbeat.
            joined = await elsewhere(join_bodies, *told)
        else:
            joined = await asyncio.to_thread(join_bodies, *told)
    except Exception as error:
        # Whatever a result holds, the request must end; the tasks' own results stay readable.
        log.exception("results not joined", extra={"request": ledger.request_id})
        return Failed(by=ledger.me, reason="error", error=f"its results could not be joined: {error}")
    inline = await ledger.swarm.inbox.inline_limit()
    result = await pack_report(joined.body, joined.summary, ledger.swarm.artifacts, inline=inline)
    return _choose(ledger, outcomes, result, partial=joined.partial, failed=joined.failed)


def _choose(
    ledger: Ledger, outcomes: Sequence[Outcome], result: Result, *, partial: bool, failed: str
) -> RequestEntry:
    me = ledger.me
    if ledger.head.cancelling:
        return Cancelled(by=me, reason="person", why=ledger.head.cancelling, result=result)
    done = [outcome for outcome in outcomes if outcome.state == "done"]
    if len(done) == len(outcomes) and not failed:
        partial = partial or any(one.result is not None and one.result.partial for one in outcomes)
        return Done(by=me, node=me, run=ledger.swarm.me.run, result=result, partial=partial)
    if len(done) < len(outcomes) and ledger.past_deadline:
        error = f"the request's deadline of {ledger.request.deadline_s:g} s passed{waited_for(outcomes)}"
        return Failed(by=me, reason="deadline", error=error, result=result)
    if failed and (done or ledger.request.broadcast is not None):
        return Failed(by=me, reason="error", error=failed, result=result)
    if done:
        return Done(by=me, node=me, run=ledger.swarm.me.run, result=result, partial=True)
    first = outcomes[0]
    said = first.reason.removeprefix("error: ")
    alone = len(outcomes) == 1 and first.state == "failed"
    why = said if alone else f"{first.step} {first.state}: {said}"
    if all(outcome.state == "cancelled" for outcome in outcomes):
        return Cancelled(by=me, reason="skipped", why=why, result=result)
    return Failed(by=me, reason="error", error=why, result=result)


async def _outcome(ledger: Ledger, step: str, bodies: dict[str, bytes], *, fetch: bool) -> Outcome:
    head, task = ledger.schedule.heads[step], ledger.schedule.tasks[step]
    result, reason = ledger.schedule.results.get(step), head.reason
    if not fetch:
        reason = (
            f"the results of one report have {MOST_BYTES / 2**20:.0f} MB together at most, and this is more"
        )
    elif result is not None and result.ref is not None:
        try:
            bodies[step] = await ledger.swarm.artifacts.get(result.ref)
        except SwarmError as error:
            result, reason = None, str(error)
    return Outcome(
        step=step,
        title=task.title,
        demand=task.demand,
        state=head.state,
        reason=reason,
        result=result,
        node=head.node or None,
        attempts=head.attempt,
        seconds=head.at - head.started_at if head.started_at else None,
    )
