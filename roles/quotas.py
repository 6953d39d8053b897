"""Quotas of a coordinator: how much more its requests may have at work, and how many are open."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from nats.aio.msg import Msg

from ..errors import PicoclawError, PlanError
from ..swarm.fold import RequestHead
from ..swarm.limits.look import tasks_out
from ..swarm.limits.open_requests import answer_open
from ..swarm.limits.quotas import Part, excess, room
from ..swarm.limits.record import SwarmLimits
from ..swarm.records import Plan
from ..swarm.swarm import Swarm

log = logging.getLogger(__name__)

COUNT_EVERY = 0.5
"""Seconds between two counts of what others have at work."""
STALE = 1.5
"""Seconds after which a count is worth nothing, and nothing more goes out until the next.

Below `GUARD`, so that who uses a part that has grown has counted what went out under the other's old one.
"""


LEFT_BEHIND = 8.0
"""Seconds after which what is at work for no open request counts no more: it is a foreign message, or what a
request left on a lane that nobody serves. Until then it may be of one that was accepted just now."""


class Quotas:
    """What a coordinator may put out, beside the room in the lanes."""

    def __init__(self, swarm: Swarm, changed: Callable[[], None]) -> None:
        """`changed`: there may be more room than before."""
        self._swarm = swarm
        self._changed = changed
        self._part = Part()
        self._others: Counter[str] = Counter()
        """What is at work, by the run that owns its request; "" for one that is not known."""
        self._strangers: dict[str, float] = {}
        """Requests that have tasks at work and are not known to be open, and since when."""
        self._counted: float | None = None
        self._mine: Collection[str] = ()
        self._heads: Mapping[str, RequestHead] = {}

    @property
    def record(self) -> SwarmLimits:
        return self._swarm.live.record

    def tenant_room(self, mine: Mapping[str, int], heads: Mapping[str, RequestHead]) -> int | None:
        """Return how many more tasks of all own requests may go out; None: no quota.

        `mine`: own requests and what each has out; `heads`: everybody's open requests.
        """
        quota = self.record.tenant_running
        self._mine, self._heads = mine.keys(), heads
        if quota is None:
            self._counted = None
            return None
        me, at, sharers = self._swarm.me.run, self._swarm.members.server.now(), self._sharers(mine)
        own = self._part.now(quota, sharers, me, at)
        now = asyncio.get_running_loop().time()
        if self._counted is None or now - self._counted > STALE:
            return 0
        return room(
            quota,
            own,
            mine=sum(mine.values()),
            others=self._others.total(),
            excess=excess(quota, sharers, self._others, me, at),
        )

    def request_room(self, out: int) -> int | None:
        """Return how many more tasks of a request that has `out` at work may go out; None: no quota."""
        quota = self.record.request_running
        return None if quota is None else max(0, quota - out)

    def _sharers(self, mine: Mapping[str, int]) -> set[str]:
        """Return the runs of the coordinators that own open requests.

        Of itself it knows without the log, which tells it a moment later.
        """
        members, me = self._swarm.members, self._swarm.me.run
        owners = {(head.owner, head.run) for head in self._heads.values() if head.owner and not head.terminal}
        alive = {run for node, run in owners if members.status(node) != "offline"}
        return alive - {me} | ({me} if mine else set())

    async def run(self) -> None:
        """Count what others have at work as long as there is a quota; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            if self.record.tenant_running is not None:
                asked = loop.time()
                try:
                    out = await tasks_out(self._swarm)
                except PicoclawError as error:
                    log.debug("what is at work was not counted: %s", error)
                else:
                    self._count_others(out, asked)
                    self._counted = asked
                    self._changed()
            await asyncio.sleep(COUNT_EVERY)

    def _count_others(self, out: Mapping[str, int], now: float) -> None:
        """Take by request what is at work in the whole swarm."""
        self._others.clear()
        unknown = out.keys() - self._heads.keys()
        self._strangers = {request: self._strangers.get(request, now) for request in unknown}
        for request, number in out.items():
            left_behind = now - self._strangers.get(request, now) >= LEFT_BEHIND
            if request not in self._mine and not left_behind:
                self._others[self._heads.get(request, RequestHead()).run] += number

    @asynccontextmanager
    async def answering(
        self, caught_up: asyncio.Event, heads: Mapping[str, RequestHead]
    ) -> AsyncIterator[None]:
        """Follow the quotas for a block, and tell doors how many requests are open.

        One coordinator of all answers.
        """

        async def answer(message: Msg) -> None:
            if caught_up.is_set():
                await message.respond(answer_open(heads, message.data))

        subject = self._swarm.names.open_requests
        subscription = await self._swarm.client.subscribe(subject, queue="coordinators", cb=answer)
        self._swarm.live.on_change(self._changed)
        try:
            yield
        finally:
            self._swarm.live.off_change(self._changed)
            if not self._swarm.client.is_closed:
                await subscription.unsubscribe()


def check_size(plan: Plan, limits: SwarmLimits) -> Plan:
    """Return the plan; raises PlanError when it has more tasks than one request may have."""
    most = limits.request_queued
    if most is not None and len(plan.tasks) > most:
        raise PlanError(
            f"the plan has {len(plan.tasks)} tasks, one request may have {most} (request.queued): split the "
            "request, or raise the quota by `picoclaw limits set request.queued=…` and send it again"
        )
    return plan
