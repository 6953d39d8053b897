"""Purse: what pays for one task's turns: its own account, those above it, the request's tree, the day's.

All are asked together, and each reservation stands in all of them before the turn is asked: two tasks that
share an account never both take its last money. What is written is absolute (`swarm.sharing.spending`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...capabilities.agent.budget.account import Breach, Estimate, Granted, Holder, Spent, grant
from ...capabilities.agent.budget.limits import Budget
from ...errors import JobCancelled
from ...swarm.limits.record import SwarmLimits
from ...swarm.records import Limited, QueuedTask
from ...swarm.sharing.accounts import AGAIN, Accounts, is_limited, today
from ...swarm.sharing.spending import Spending, Sum, closed, spent, task_key, tree_key, written
from ...swarm.swarm import Swarm
from ..jobs import Slot


@dataclass(slots=True)
class JobPurse:
    """The accounts of one attempt at a task; satisfies `capabilities.agent.context.Purse`."""

    swarm: Swarm
    queued: QueuedTask
    attempt: int
    slot: Slot
    _accounts: Accounts = field(init=False)
    _mine: Limited | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._accounts = Accounts(self.swarm.wire, self.swarm.names)

    async def reserve(self, estimate: Estimate, mine: Holder) -> Granted | Breach:
        """Reserve a turn's worst case everywhere; raises JobCancelled, SwarmTimeout."""
        # A wait for handed-on work that was cut short may have left the job without its slot.
        await self.slot.come_back()
        self._asked, self._mine = True, as_limited(mine.budget)
        limits = self._limits()
        total = as_sum(mine.spent)
        while True:
            # Read one after the other: what the first says may be old by now, and its write then refused.
            read = {key: await self._accounts.read(key) for key in limits}
            settled = {key: self._written(account, total, None) for key, (account, _) in read.items()}
            holders = [
                Holder(name=name, budget=budget, spent=as_spent(spent(settled[key])), wall=mine.wall)
                for key, (name, budget) in limits.items()
            ]
            if task_key(self.queued.id) not in limits:
                holders.insert(0, mine)  # it has a limit in time at most
            decision = grant(estimate, holders)
            reserved = as_sum(decision.worst) if isinstance(decision, Granted) else None
            after = {key: self._written(account, total, reserved) for key, (account, _) in read.items()}
            if await self._write_all(read, after):
                return decision
            await asyncio.sleep(AGAIN.total_seconds())

    async def settle(self, spent: Spent, *, ended: bool = False) -> None:
        """Replace what is reserved by what was spent; raises JobCancelled, SwarmTimeout."""
        if not self._asked and spent == Spent():
            return
        total = as_sum(spent)
        own = task_key(self.queued.id)
        for key in self._limits():

            def change(account: Spending, key: str = key) -> Spending | None:
                if ended and key != own:
                    return closed(account, self.queued.id, self.attempt, total)
                return written(account, self.queued.id, self.attempt, total, None)

            if await self._accounts.change(key, change) is None:
                raise self._fenced()

    def _written(self, account: Spending, total: Sum, reserved: Sum | None) -> Spending:
        after = written(account, self.queued.id, self.attempt, total, reserved)
        if after is None:
            raise self._fenced()
        return after

    async def _write_all(
        self, read: Mapping[str, tuple[Spending, int]], after: Mapping[str, Spending]
    ) -> bool:
        """Write every account; False: one of them moved on, and all are to be read again."""
        for key, (before, revision) in read.items():
            if after[key] != before and not await self._accounts.write(key, after[key], expected=revision):
                return False
        return True

    def _limits(self) -> dict[str, tuple[str, Budget]]:
        """Return by key whose account it is, in words, and its budget; the task's own first."""
        queued, parent = self.queued, self.queued.parent
        found: dict[str, tuple[str, Budget]] = {}
        if self._mine is not None and is_limited(self._mine):
            found[task_key(queued.id)] = ("this task", as_budget(self._mine))
        for payer in reversed(parent.payers) if parent is not None else ():
            found[task_key(payer.task)] = (f"task {payer.task}, for which it works,", as_budget(payer.limits))
        root = queued.request if parent is None else parent.root
        found[tree_key(root)] = (f"request {root}", as_budget(queued.budget))
        day = today(self.swarm.members.server.now())
        found[day] = ("the whole swarm today", _of_tenant(self.swarm.live.record))
        return found

    def _fenced(self) -> JobCancelled:
        return JobCancelled(f"{self.queued.id} was taken over by a later attempt: this one spends no more")


def _of_tenant(record: SwarmLimits) -> Budget:
    return Budget(usd=record.budget_usd, tokens=record.budget_tokens, turns=record.budget_turns)


def as_budget(limits: Limited | None) -> Budget:
    """Return a budget as the account takes it; None: without limits."""
    if limits is None:
        return Budget()
    return Budget(usd=limits.usd, tokens=limits.tokens, turns=limits.turns, on_breach=limits.on_breach)


def as_limited(budget: Budget) -> Limited:
    """Return a budget as it goes over the wire; its limit in time is the task's own."""
    return Limited(usd=budget.usd, tokens=budget.tokens, turns=budget.turns, on_breach=budget.on_breach)


def as_sum(spent: Spent) -> Sum:
    """Return what was spent as it goes over the wire."""
    return Sum(
        turns=spent.turns,
        tokens=spent.tokens,
        usd=spent.usd,
        unpriced=spent.unpriced,
        maybe_billed=spent.maybe_billed,
    )


def as_spent(total: Sum) -> Spent:
    """Return what was spent as the account takes it."""
    return Spent(
        turns=total.turns,
        tokens=total.tokens,
        usd=total.usd,
        unpriced=total.unpriced,
        maybe_billed=total.maybe_billed,
    )
