"""What was spent on a task or a request, as its journals and its account say it, for people."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SwarmError
from ..swarm.sharing.spending import Spending, Sum, tree_key

if TYPE_CHECKING:
    from ..swarm.records import Limited
    from ..swarm.swarm import Swarm
    from ..swarm.views.requests import RequestState


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSpent:
    """What a request has spent, and what its tasks share and hand on."""

    spent: Sum | None
    """None: no model was asked."""
    limits: "Limited | None"
    """Its budget as it holds now."""
    requests: tuple[str, ...]
    """What its tasks handed on."""
    shared: tuple[str, ...]
    """Keys of its blackboard."""


async def task_spent(swarm: "Swarm", request: str, step: str) -> Sum | None:
    """Return what a task's agent has spent; None: it asked no model."""
    from ..capabilities.agent.budget.account import NOTHING
    from ..capabilities.agent.budget.of_journal import spent_in
    from ..roles.agents.purse import as_sum
    from ..swarm.journal import read_journal

    steps = await read_journal(swarm, request, step)
    if not steps:
        return None
    spent = await asyncio.to_thread(spent_in, steps)
    return None if spent == NOTHING else as_sum(spent)


async def request_spent(swarm: "Swarm", request: str) -> Sum | None:
    """Return what a request has spent that no agent handed on, with all that it did; None: no model was asked."""
    from ..swarm.sharing.accounts import Accounts
    from ..swarm.sharing.spending import spent

    try:
        account, _ = await Accounts(swarm.wire, swarm.names).read(tree_key(request))
    except SwarmError:
        return None  # nodes of an earlier version made no such bucket
    found = spent(account)
    return found if found.turns else None


async def tree_spent(swarm: "Swarm", state: "RequestState") -> TreeSpent:
    """Return what a request has spent with all that it handed on; of one that was handed on, itself alone."""
    from ..swarm.sharing.accounts import Accounts
    from ..swarm.sharing.blackboard import Board
    from ..swarm.sharing.spending import spent

    board = Board(swarm.wire, swarm.names, swarm.artifacts, state.id)
    try:
        shared = tuple(one.key for one in await board.shared())
        account, _ = await Accounts(swarm.wire, swarm.names).read(tree_key(state.id))
    except SwarmError:
        # Nodes of an earlier version made no such buckets.
        shared, account = (), Spending()
    given = state.request.budget if state.request is not None else None
    parent = state.request.parent if state.request is not None else None
    total: Sum | None = None
    if parent is None:
        found = spent(account)
        total = found if found.turns else None
    else:
        for step in state.heads:
            one = await task_spent(swarm, state.id, step)
            if one is not None:
                total = one if total is None else total.plus(one)
    return TreeSpent(spent=total, limits=account.raised or given, requests=account.requests, shared=shared)


def spent_json(total: Sum | None) -> dict[str, Any] | None:
    """Return the stable JSON form; `usd` is null where no price is known, and the least where of some."""
    if total is None:
        return None
    return {
        "turns": total.turns,
        "tokens": total.tokens,
        "usd": None if total.unpriced and total.unpriced == total.turns else round(total.usd, 6),
        "unpriced_turns": total.unpriced,
        "maybe_billed_turns": total.maybe_billed,
    }


def spent_words(total: Sum | None) -> str:
    """Return what was spent in words; empty where nothing was."""
    if total is None:
        return ""
    if total.unpriced and total.unpriced == total.turns:
        cost = "unknown price"
    else:
        more = f" and {total.unpriced} turns of unknown price" if total.unpriced else ""
        cost = f"{total.usd:.4f} USD{more}"
    maybe = f" ({total.maybe_billed} turns maybe billed, at their worst case)" if total.maybe_billed else ""
    turns = "1 turn" if total.turns == 1 else f"{total.turns} turns"
    return f"{turns}, {total.tokens:,} tokens, {cost}{maybe}"


def budget_words(limits: "Limited | None") -> str:
    """Return a budget in words; empty where there is none."""
    if limits is None:
        return ""
    parts = [
        "" if limits.usd is None else f"{limits.usd:g} USD",
        "" if limits.tokens is None else f"{limits.tokens:,} tokens",
        "" if limits.turns is None else f"{limits.turns} turns",
    ]
    named = ", ".join(filter(None, parts))
    then = "then it asks" if limits.on_breach == "ask" else "then a partial result"
    return f"{named}; {then}" if named else ""
