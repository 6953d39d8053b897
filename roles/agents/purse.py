"""Purse: what pays for one task's turns: its own account, those above it, the request's tree, the day's.

All are asked together, and each reservation stands in all of them before the turn is asked: two tasks that
share an account never both take its last money. What is written is absolute (`swarm.sharing.spending`).
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from ...capabilities.agent.budget.account import (
    NOTHING,
    Breach,
    Estimate,
    Granted,
    Holder,
    Spent,
    grant,
    once_more,
    still_granted,
    wider,
)
from ...capabilities.agent.budget.limits import Budget
from ...errors import JobCancelled
from ...swarm.limits.record import SwarmLimits
from ...swarm.records import Limited, Parent, Payer, QueuedTask
from ...swarm.sharing.accounts import Accounts, is_limited, pause, today
from ...swarm.sharing.spending import Spending, Sum, closed, spent, task_key, tree_key, written
from ...swarm.swarm import Swarm
from ..jobs import Slot

MINE = "this task"
TODAY = "the whole swarm today"


@dataclass(frozen=True, slots=True)
class Payee:
    """Whose turns are paid for."""

    id: str
    """The task's id."""
    attempt: int
    request: str
    budget: Limited | None
    """The request's."""
    parent: Parent | None


@dataclass(slots=True)
class Purse:
    """The accounts of one attempt at a task; satisfies `capabilities.agent.context.Purse`."""

    swarm: Swarm
    payee: Payee
    come_back: Callable[[], Awaitable[None]] | None = None
    """Waits until the job has its slot: a wait for handed-on work that was cut short left it without."""
    _accounts: Accounts = field(init=False)
    _mine: Budget = field(default=Budget(), init=False)
    _asked: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._accounts = Accounts(self.swarm.wire, self.swarm.names)

    async def reserve(self, estimate: Estimate, mine: Holder, *, asking: bool = True) -> Granted | Breach:
        """Reserve a turn's worst case everywhere; raises JobCancelled, SwarmTimeout."""
        if self.come_back is not None:
            await self.come_back()
        self._asked, self._mine = True, mine.budget
        keys = self._keys()
        total = as_sum(mine.spent)
        for tries in itertools.count():
            read = {key: (await self._accounts.read(key))[0] for key in keys}
            holders = self._standing(read, total, mine.wall)
            if self._own not in keys:
                holders = (mine, *holders)  # it has a limit in time at most
            decision = grant(estimate, holders, asking=asking)
            if await self._write_all(keys, estimate, decision, total, mine.wall):
                return decision
            await asyncio.sleep(pause(tries))
        raise AssertionError("it counts for ever")

    async def _write_all(
        self,
        keys: Sequence[str],
        estimate: Estimate,
        decision: Granted | Breach,
        total: Sum,
        wall: timedelta,
    ) -> bool:
        """Write what was decided into every account; False: one of them cannot pay it any more."""
        worst = decision.worst if isinstance(decision, Granted) else None
        reserved = None if worst is None else as_sum(worst)
        for key in keys:

            def change(account: Spending, key: str = key) -> Spending | None:
                if isinstance(decision, Granted):
                    (holder,) = self._standing({key: account}, total, wall)
                    if not still_granted(decision, estimate, holder):
                        return None
                after = self._written(account, total, reserved)
                if key == self._own:
                    # What is handed on is paid by this account too, as people have raised it.
                    after = after.model_copy(update={"raised": as_limited(self._raised(account))})
                return after

            if await self._accounts.change(key, change) is None:
                return False
        return True

    def _standing(self, accounts: Mapping[str, Spending], total: Sum, wall: timedelta) -> tuple[Holder, ...]:
        """Return whose accounts these are, with what each has spent once this task's turns are settled."""
        settled = {key: self._written(account, total, None) for key, account in accounts.items()}
        return tuple(
            replace(whose, spent=as_spent(spent(settled[key])), wall=wall)
            for key, whose in self._holders(accounts).items()
        )

    async def settle(self, total: Spent, *, ended: bool = False) -> None:
        """Replace what is reserved by what was spent; raises JobCancelled, SwarmTimeout."""
        if not self._asked and total == NOTHING:
            return
        whole, payee = as_sum(total), self.payee
        for key in self._keys():

            def change(account: Spending, key: str = key) -> Spending | None:
                if ended and key != self._own:
                    return closed(account, payee.id, payee.attempt, whole)
                return written(account, payee.id, payee.attempt, whole, None)

            if await self._accounts.change(key, change) is None:
                raise self._fenced()

    async def allow(self, breach: Breach) -> None:
        """Let the account that was spent have as much again as it had at first; somebody said so."""
        for key in self._keys():
            account, _ = await self._accounts.read(key)
            holder = self._holders({key: account})[key]
            if holder.name != breach.holder:
                continue

            def more(account: Spending, key: str = key) -> Spending:
                limits = self._given(key)
                now = once_more(as_budget(limits), as_spent(spent(account)), timedelta(), breach.worst)
                return account.model_copy(update={"raised": as_limited(now)})

            await self._accounts.change(key, more)

    def _written(self, account: Spending, total: Sum, reserved: Sum | None) -> Spending:
        after = written(account, self.payee.id, self.payee.attempt, total, reserved)
        if after is None:
            raise self._fenced()
        return after

    @property
    def _own(self) -> str:
        return task_key(self.payee.id)

    @property
    def _root(self) -> str:
        parent = self.payee.parent
        return self.payee.request if parent is None else parent.root

    def _payers(self) -> tuple[Payer, ...]:
        return () if self.payee.parent is None else self.payee.parent.payers

    def _keys(self) -> tuple[str, ...]:
        """Return the accounts that pay, the task's own first."""
        own = (self._own,) if is_limited(as_limited(self._mine)) else ()
        above = tuple(task_key(payer.task) for payer in reversed(self._payers()))
        day = today(self.swarm.members.server.now())
        return (*own, *above, tree_key(self._root), day)

    def _given(self, key: str) -> Limited | None:
        """Return the budget that an account had at first."""
        for payer in self._payers():
            if key == task_key(payer.task):
                return payer.limits
        return self.payee.budget if key == tree_key(self._root) else None

    def _holders(self, accounts: Mapping[str, Spending]) -> dict[str, Holder]:
        """Return whose each account is, in words, and its budget as it holds now."""
        names = {
            tree_key(self._root): f"request {self._root}",
            **{
                task_key(payer.task): f"task {payer.task}, which this one is part of,"
                for payer in self._payers()
            },
        }
        found: dict[str, Holder] = {}
        for key, account in accounts.items():
            if key == self._own:
                found[key] = Holder(name=MINE, budget=self._raised(account))
            elif key in names:
                limits = account.raised or self._given(key)
                found[key] = Holder(name=names[key], budget=as_budget(limits))
            else:
                found[key] = Holder(name=TODAY, budget=_of_tenant(self.swarm.live.record))
        return found

    def _raised(self, own: Spending) -> Budget:
        """Return this task's budget as people have raised it here, or where its work was handed on to."""
        return self._mine if own.raised is None else wider(self._mine, as_budget(own.raised))

    def _fenced(self) -> JobCancelled:
        return JobCancelled(f"{self.payee.id} was taken over by a later attempt: this one spends no more")


def purse_of(swarm: Swarm, queued: QueuedTask, attempt: int, slot: Slot) -> Purse:
    """Return the purse of one attempt at a task."""
    payee = Payee(queued.id, attempt, queued.request, queued.budget, queued.parent)
    return Purse(swarm, payee, slot.come_back)


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
