"""Gathering: whom a broadcast asks, and when the wait for the answers is over."""

import asyncio

from ..errors import PlanError
from ..swarm.demand import Offer, parse_demand
from ..swarm.entries import Cancelled, Entry, Failed
from ..swarm.unroutable import why_unroutable
from .late import late
from .ledger import Ledger
from .planning.broadcast import demand_of, matching
from .synthesis.quorum import needed, out_of_reach

LOOK = 2.0
"""Seconds after which it is looked again whether a node has come, whatever was heard."""


async def offers_to_ask(ledger: Ledger, wake: asyncio.Event) -> tuple[Offer, ...] | Failed | None:
    """Return the offers of the living nodes, once one of them can be asked, or the entry that ends the request.

    None: it is to end otherwise. `wake` is set when the members or the request changed. With `unroutable`
    other than wait nobody is waited for. Raises Fenced.
    """
    request, members = ledger.request, ledger.swarm.members
    try:
        demand = demand_of(request)
    except PlanError as error:
        return Failed(by=ledger.me, reason="plan", error=str(error))
    while True:
        ledger.check_ownership()
        wake.clear()
        offers = tuple(member.offer for member in members.living()) if members.hears_itself else None
        waits = request.unroutable in (None, "wait")
        if offers is not None and (matching(request, offers) or not waits):
            return offers
        if ledger.head.cancelling or ledger.head.terminal:
            return None
        if passed := _passed(ledger):
            why = why_unroutable(demand, offers) if offers is not None else "it was cut off"
            return Failed(by=ledger.me, reason="deadline", error=f"{passed} while it waited: {why}")
        try:
            async with asyncio.timeout(LOOK):
                await wake.wait()
        except TimeoutError:
            continue


def asked_nodes(ledger: Ledger) -> set[str]:
    """Return the nodes whose answers a broadcast waits for."""
    if not ledger.planned or ledger.lost or ledger.request.broadcast is None:
        return set()
    schedule = ledger.schedule
    found = (
        parse_demand(schedule.tasks[s].demand).node for s, head in schedule.heads.items() if not head.terminal
    )
    return {node for node in found if node is not None}


def over(ledger: Ledger) -> Entry | None:
    """Return the entry by which the open tasks of a broadcast end; None while their answers count."""
    broadcast, schedule = ledger.request.broadcast, ledger.schedule
    if broadcast is None:
        return None
    if broadcast.within_s is not None and ledger.now - ledger.head.accepted_at > broadcast.within_s:
        return Failed(
            by=ledger.me, reason="deadline", error=f"it did not answer within {broadcast.within_s:g} s"
        )
    asked, answered = len(schedule.tasks), len(schedule.results)
    if out_of_reach(broadcast.quorum, asked=asked, answered=answered, still_open=schedule.unfinished):
        wanted = needed(broadcast.quorum, asked)
        why = f"the quorum of {wanted} of {asked} nodes could no longer be met"
        return Cancelled(by=ledger.me, reason="request", why=why)
    return None


def _passed(ledger: Ledger) -> str:
    """Say which limit of the request has passed; empty: none."""
    request, waited = ledger.request, ledger.now - ledger.head.accepted_at
    if request.deadline_s is not None and waited > request.deadline_s:
        return late()
    assert request.broadcast is not None
    within = request.broadcast.within_s
    return f"its time limit of {within:g} s passed" if within is not None and waited > within else ""
