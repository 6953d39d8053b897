"""Policies: what becomes of tasks that no live node can serve: wait, fail, skip, local."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..swarm.demand import Demand, parse_demand
from ..swarm.entries import Cancelled, Failed
from ..swarm.unroutable import why_unroutable
from . import dispatch
from .ledger import Ledger


@dataclass(slots=True)
class Policies:
    """The unserved demands of one request, and since when."""

    ledger: Ledger
    can_run_here: Callable[[str, str | None], bool]
    """Whether this node has an executor for a demand, and for the capability that a task names beside it."""
    clock: Callable[[], float]
    _unserved_since: dict[str, float] = field(default_factory=dict)

    def of(self, step: str) -> str:
        """Return a task's policy; the request's own word goes first.

        That of a broadcast says whether to wait for nodes to ask; those that were asked stay as planned.
        """
        if self.ledger.request.broadcast is not None:
            return self.ledger.schedule.tasks[step].unroutable
        return self.ledger.request.unroutable or self.ledger.schedule.tasks[step].unroutable

    def may_release(self, demand: str, slots: int) -> int:
        """Return how many ready tasks of a demand may go on its lane now.

        While nobody serves the demand, tasks whose policy is not to wait are held back: it decides
        once its grace is over. One is all that goes on such a lane, so that they are not counted.
        """
        schedule = self.ledger.schedule
        if slots:
            return schedule.ready(demand)
        return int(any(self.of(step) == "wait" for step in schedule.ready_steps(demand)))

    def take_ready(self, demand: str, number: int, slots: int) -> list[str]:
        """Take up to `number` of the tasks that `may_release` counts."""
        schedule = self.ledger.schedule
        if slots:
            return schedule.take_ready(demand, number)
        waits = (step for step in schedule.ready_steps(demand) if self.of(step) == "wait")
        waiting = list(islice(waits, number))
        for step in waiting:
            schedule.take(step)
        return waiting

    def unserved(self) -> dict[str, str]:
        """Return why no live node serves a demand, for those of ready and queued tasks; empty when cut off."""
        members = self.ledger.swarm.members
        if not members.hears_itself:
            return {}
        offers = [member.offer for member in members.living()]
        whys = {
            demand: why_unroutable(parse_demand(demand), offers) for demand in self.ledger.schedule.demands
        }
        return {demand: why for demand, why in whys.items() if why}

    async def apply(self) -> None:
        """Let the policies act on tasks whose grace is over."""
        schedule, members, now = self.ledger.schedule, self.ledger.swarm.members, self.clock()
        if not members.hears_itself:
            # Cut off, everybody seems gone; what would be written now arrives when they are back.
            self._unserved_since.clear()
            return
        works: list[Coroutine[Any, Any, None]] = []
        for demand in list(schedule.demands):
            wanted = parse_demand(demand)
            if members.slots_for(wanted):
                self._unserved_since.pop(demand, None)
                continue
            unserved = now - self._unserved_since.setdefault(demand, now)
            queued = [step for step in schedule.queued_steps() if schedule.heads[step].demand == demand]
            due = [
                (step, self.of(step))
                for step in [*schedule.ready_steps(demand), *queued]
                if self.of(step) != "wait" and unserved >= self._grace(step)
            ]
            if due:
                why = why_unroutable(wanted, [member.offer for member in members.living()])
                works += [self._act(step, policy, wanted, why) for step, policy in due]
        await self.ledger.each(works)

    def _grace(self, step: str) -> float:
        """Return how long a demand may be unserved before the task's policy acts, in seconds.

        A task that somebody had begun gets a node timeout at least: its node was lost, and who restarts
        one means the task to go on.
        """
        schedule = self.ledger.schedule
        grace = schedule.tasks[step].grace_s
        if schedule.heads[step].attempt > 1:
            return max(grace, self.ledger.swarm.nats.node_timeout.total_seconds())
        return grace

    async def _act(self, step: str, policy: str, demand: Demand, why: str) -> None:
        ledger = self.ledger
        if policy == "skip":
            await ledger.settle(step, Cancelled(by=ledger.me, reason="skipped", why=why))
        elif policy == "local" and self.can_run_here(str(demand), ledger.schedule.tasks[step].capability):
            await dispatch.move(ledger, step, Demand(node=ledger.me))
        else:
            more = "; nor can this coordinator run it" if policy == "local" else ""
            await ledger.settle(step, Failed(by=ledger.me, reason="unroutable", error=why + more))
