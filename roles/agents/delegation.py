"""Delegation: work that an agent hands to the swarm as a request of its own, and waits for.

The request's key is the task and the call: whatever crashes, the same call is the same request. It ends
with its parent (`roles.parent`), pays from its accounts, and its parent gives its slot back meanwhile.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from pydantic import JsonValue

from ...capabilities.agent.approvals.handed_on import to_records
from ...capabilities.agent.approvals.policy import Policy
from ...capabilities.agent.budget.limits import Budget
from ...config.durations import format_duration
from ...errors import (
    FinalError,
    IdempotencyClash,
    QueueFull,
    RequestLost,
    SwarmTimeout,
    UsageError,
)
from ...swarm.demand import Demand, parse_demand
from ...swarm.records import Parent, Payer, QueuedTask, Request, Result
from ...swarm.sharing.accounts import Accounts, is_limited
from ...swarm.sharing.spending import MOST_REQUESTS, Spending, handed_on, task_key, tree_key
from ...swarm.submission import Ended, new_request, submit, wait
from ...swarm.swarm import Swarm
from ..jobs import Slot
from .handed_back import brought_by
from .purse import as_limited

DEEPEST = 4
"""Levels of requests that agents hand on, below the one that a person asked."""
WIDEST = 20
"""Requests that one task may hand on."""
LATE = timedelta(seconds=60)
"""How long past its time a handed-on request may take to end: somebody has to take it first."""
TRIES = 6
PAUSE = timedelta(seconds=5)


@dataclass(slots=True)
class JobDelegation:
    """What one task hands on; satisfies `capabilities.agent.context.Delegation`."""

    swarm: Swarm
    queued: QueuedTask
    slot: Slot

    def like_mine(self, agent: str) -> str:
        """Return the demand of nodes that run agents like this one."""
        if self.swarm.members.slots_for(Demand(agent=agent)):
            return str(Demand(agent=agent))
        task = self.queued.task
        own = parse_demand(self.queued.lane or task.demand)
        if task.capability and not own.capabilities and own.agent is None:
            return task.capability  # a lane of one node, or of labels, does not say what is to be done there
        return str(own)

    async def ask(
        self,
        text: str,
        *,
        demand: str,
        key: str,
        input: dict[str, JsonValue],
        timeout: timedelta,
        budget: Budget,
        policy: Policy,
    ) -> Result:
        """Put a request on the swarm and wait for its end; raises FinalError, UsageError."""
        request = self._request(text, demand, key, input, timeout, budget, policy)
        await self._count(request.id)
        async with self.slot.parked():
            await self._submit(request)
            ended = await self._wait(request.id, timeout)
        return _result(request.id, ended)

    def _request(
        self,
        text: str,
        demand: str,
        key: str,
        input: dict[str, JsonValue],
        timeout: timedelta,
        budget: Budget,
        policy: Policy,
    ) -> Request:
        queued, above = self.queued, self.queued.parent
        depth = 1 if above is None else above.depth + 1
        if depth > DEEPEST:
            raise UsageError(
                f"this work was handed on {DEEPEST} times already, and goes no deeper: do it here"
            )
        wanted = parse_demand(demand) if demand else None
        payers = () if above is None else above.payers
        own = as_limited(budget)
        if is_limited(own):
            payers = (*payers, Payer(task=queued.id, limits=own))
        return new_request(
            text,
            key=f"{queued.id}:{key}",
            demand=None if wanted is None else str(wanted),
            repository=queued.task.repository,
            input=input,
            priority=queued.priority,
            deadline=timeout,
            # An agent that waits for a node that may never come tells nobody; it can do something else.
            unroutable="fail" if wanted is not None else None,
            budget=queued.budget,
            parent=Parent(
                task=queued.id,
                root=queued.request if above is None else above.root,
                depth=depth,
                payers=payers,
                policies=to_records(policy),
            ),
            sender=queued.id,
        )

    async def _count(self, request: str) -> None:
        """Count a request among those of the task and of the tree; the same one counts once."""
        above = self.queued.parent
        root = self.queued.request if above is None else above.root
        accounts = Accounts(self.swarm.wire, self.swarm.names)

        def of_task(spending: Spending) -> Spending | None:
            return handed_on(spending, request, most=WIDEST)

        def of_tree(spending: Spending) -> Spending | None:
            return handed_on(spending, request, most=MOST_REQUESTS)

        if await accounts.change(task_key(self.queued.id), of_task) is None:
            raise UsageError(
                f"this task has handed on {WIDEST} requests, which is the most: do the rest here"
            )
        if await accounts.change(tree_key(root), of_tree) is None:
            raise UsageError(
                f"{MOST_REQUESTS} requests were handed on below {root}, which is the most: do the rest here"
            )

    async def _submit(self, request: Request) -> None:
        for last in (False,) * (TRIES - 1) + (True,):
            try:
                await submit(self.swarm, request)
                return
            except SwarmTimeout:
                # The server is away, or in doubt: sending it again is sending it once.
                if last:
                    raise
            except QueueFull as error:
                raise UsageError(f"the swarm takes no more work now: {error}") from None
            except IdempotencyClash:
                return  # an earlier attempt put the same call in other words: that one counts
            await asyncio.sleep(PAUSE.total_seconds())

    async def _wait(self, request: str, timeout: timedelta) -> Ended:
        try:
            return await wait(self.swarm, request, limit=timeout + LATE)
        except RequestLost:
            raise FinalError(f"{request}, handed on from here, was removed before its end was read") from None
        except SwarmTimeout:
            raise FinalError(
                f"{request}, handed on from here, has not ended within {format_duration(timeout)}: it may be "
                "that no coordinator takes requests; go on without it"
            ) from None


def _result(request: str, ended: Ended) -> Result:
    head = ended.head
    if head.state == "done" and ended.result is not None:
        brought = brought_by(ended.result)
        if not head.partial:
            return brought
        return brought.model_copy(
            update={"summary": f"{brought.summary}\n(partial: something is missing from this)"}
        )
    summary = "" if ended.result is None else f"; what there is: {ended.result.summary[:2000]}"
    raise FinalError(f"{request} ended {head.state}: {head.reason or 'no reason is known'}{summary}")
