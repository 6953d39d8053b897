"""Manifest: a plan is written down, in the log or, where it is too large for that, as an artifact."""

import asyncio

from ..swarm.bodies import INLINE_LIMIT
from ..swarm.entries import Planned
from ..swarm.records import Plan
from .admission import OF_REQUEST
from .ledger import Ledger


async def write_plan(ledger: Ledger, plan: Plan, *, revision: int | None = None) -> None:
    """Append a plan, or a later revision of it, to the request's log. Raises as `Ledger.append_request`."""
    me = ledger.swarm.me
    entry = Planned(by=me.node, owner=me.node, run=me.run, plan=plan, revision=revision)
    if not await _fits(ledger, entry):
        data = await asyncio.to_thread(plan.to_bytes)
        ref = await ledger.swarm.artifacts.put(data, media_type="application/json")
        entry = Planned(id=entry.id, by=me.node, owner=me.node, run=me.run, ref=ref, revision=revision)
    await ledger.append_request(entry)


async def _fits(ledger: Ledger, entry: Planned) -> bool:
    """Return whether the log itself may hold a plan."""
    size = len(await asyncio.to_thread(entry.to_bytes))
    if size <= await ledger.swarm.inbox.inline_limit():
        return True
    # As much as the request itself takes was counted when it was admitted (`admission`).
    counted = len(await asyncio.to_thread(ledger.request.to_bytes)) + OF_REQUEST
    return size <= min(INLINE_LIMIT, counted)
