"""Owner: carries one request from its plan to its end. It can stop at any point; another goes on."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from ..errors import ConnectError, PlanError, SwarmError
from ..swarm.background import Background, background
from ..swarm.demand import Offer
from ..swarm.entries import Accepted, Cancelled, Entry, Failed
from ..swarm.follow import Followed
from ..swarm.swarm import Swarm
from . import dispatch
from .agents.parent import end_with_parent
from .deadlines import end_late_tasks
from .dropping import end_dropped
from .ending import last_entry
from .gathering import asked_nodes, offers_to_ask, over
from .holders import holders, look_after_holders
from .late import late
from .ledger import Fenced, Ledger, Purged
from .manifest import write_plan
from .planning.by_model.when import asks_for_model
from .planning.template import Template
from .planning.without_model import plan_without_model
from .policies import Policies
from .quotas import check_size
from .repeating import Repeated, repeat
from .traced import plan_span, request_span

if TYPE_CHECKING:
    from .thinking.changing import Changes
    from .thinking.mind import Mind

log = logging.getLogger(__name__)

RECONCILE = timedelta(seconds=2)


@dataclass(slots=True)
class Owner:
    """One request of this coordinator."""

    swarm: Swarm
    request_id: str
    templates: Sequence[Template]
    wake_releaser: Callable[[], None]
    can_run_here: Callable[[str, str | None], bool]
    mind: "Mind | None" = None
    """The model that plans and writes reports; None: there is none."""
    no_mind: str = ""
    """Why the model that is set cannot be asked; empty where none is set."""
    ledger: Ledger = field(init=False)
    changes: "Changes | None" = field(init=False, default=None)
    """Looks at a plan of a model; None: there is no model."""
    policies: Policies = field(init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _look: bool = True

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.swarm, self.request_id)
        if self.mind is not None:
            from .thinking.changing import Changes

            self.changes = Changes(self.ledger, self.mind, self._changed)
        self.policies = Policies(self.ledger, self.can_run_here, asyncio.get_running_loop().time)

    def observe(self, followed: Followed) -> None:
        """Take a message of the request's log, in order; never blocks."""
        if self.ledger.observe(followed):
            self._wake.set()
            self.wake_releaser()

    def look_around(self) -> None:
        """Look after holders, policies and deadlines: time has passed or the members changed."""
        self._look = True
        self._wake.set()

    def holders(self) -> set[str]:
        """Return the nodes that hold running tasks of this request, or whose answers it waits for."""
        return holders(self.ledger) | asked_nodes(self.ledger)

    @property
    def releasing(self) -> bool:
        """Whether tasks of it may go on their lanes."""
        ledger = self.ledger
        return ledger.planned and not (ledger.head.cancelling or ledger.head.terminal or ledger.lost)

    @property
    def out(self) -> int:
        """How many of its tasks are on their lanes or running."""
        return self.ledger.schedule.out if self.ledger.planned else 0

    async def release(self, steps: Sequence[str]) -> None:
        """Put tasks that the releaser took on their lanes."""
        await dispatch.release(self.ledger, steps)

    async def run(self, accepted: Accepted | None = None, seq: int = 0) -> None:
        """Carry the request to its end; returns when it ended or somebody else owns it.

        `accepted` is the first entry of its log where this run has just written it, as `seq`, and
        has observed the log since before.
        """
        try:
            if accepted is not None:
                self._look = False  # nobody holds anything of it yet
                await self.ledger.begin(accepted, seq)
            else:
                await self.ledger.load()
            head = self.ledger.head
            with request_span(self.ledger):
                if not (self.ledger.planned or self.ledger.lost or head.cancelling or head.terminal):
                    with plan_span(self.ledger):
                        await self._plan()
                async with background() as tasks:
                    await self._carry(tasks)
        except Fenced:
            log.info("Request passed to another coordinator", extra={"request": self.request_id})
        except Purged as error:
            log.warning("%s", error, extra={"request": self.request_id})

    @property
    def _under_look(self) -> bool:
        """Whether a model looks at the plan: nothing that it may save is to end meanwhile."""
        return self.changes is not None and self.changes.pending

    def _begin_look(self, tasks: Background) -> None:
        if self.changes is not None:
            self.changes.begin(tasks)

    def _changed(self) -> None:
        self._wake.set()
        self.wake_releaser()

    async def _carry(self, tasks: Background) -> None:
        ledger, loop = self.ledger, asyncio.get_running_loop()
        reconciled = loop.time()
        while not ledger.head.terminal:
            ledger.check_ownership()
            self._wake.clear()
            self._begin_look(tasks)
            if ledger.planned and not ledger.schedule.finished:
                await self._advance()
                if loop.time() - reconciled >= RECONCILE.total_seconds():
                    reconciled = loop.time()
                    await dispatch.reconcile(ledger)
                    await end_with_parent(ledger)
            self._begin_look(tasks)  # its last task may have ended badly during these waits
            if not ledger.planned or (ledger.schedule.finished and not self._under_look):
                await ledger.append_request(await last_entry(ledger, self.mind))
                log.info("Request ended", extra={"request": self.request_id, "state": ledger.head.state})
                continue
            try:
                async with asyncio.timeout(RECONCILE.total_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                self._look = True

    async def _plan(self) -> None:
        ledger, me = self.ledger, self.swarm.me
        offers: tuple[Offer, ...] = ()
        repeated: Repeated | None = None
        if ledger.request.retried is not None:
            try:
                repeated = await repeat(ledger)
            except PlanError as error:
                log.warning("Request failed: %s", error, extra={"request": self.request_id})
                await ledger.append_request(Failed(by=me.node, reason="plan", error=str(error)))
                return
        if repeated is None and ledger.request.broadcast is not None:
            found = await offers_to_ask(ledger, self._wake)
            if isinstance(found, Failed):
                await ledger.append_request(found)
            if found is None or isinstance(found, Failed):
                return
            offers = found
        try:
            # In a thread: fifty thousand tasks take seconds, and nobody's heartbeat waits for that.
            if repeated is not None:
                plan = repeated.plan
            elif self.mind is not None and asks_for_model(ledger.request, self.templates):
                from .thinking.planning import plan_by_model

                made = await plan_by_model(ledger, self.mind, self.templates)
                if isinstance(made, Failed):
                    await ledger.append_request(made)
                if made is None or isinstance(made, Failed):
                    return
                plan = made
            else:
                living = tuple(member.offer for member in self.swarm.members.living())
                told = (ledger.request, self.templates, offers, living, self.no_mind)
                plan = await asyncio.to_thread(plan_without_model, *told)
            plan = check_size(plan, self.swarm.live.record)
        except PlanError as error:
            log.warning("Request failed: %s", error, extra={"request": self.request_id})
            await ledger.append_request(Failed(by=me.node, reason="plan", error=str(error)))
            return
        except (Fenced, SwarmError, ConnectError):
            raise  # somebody else goes on, or this run once the swarm answers again
        except Exception as error:
            # Whatever the request holds, it must end, and not take this coordinator with it.
            log.exception("request not planned", extra={"request": self.request_id})
            why = f"it could not be planned ({type(error).__name__}): this is a defect, see the node's log"
            await ledger.append_request(Failed(by=me.node, reason="plan", error=why))
            return
        if ledger.head.cancelling:
            return
        await write_plan(ledger, plan)
        ledger.take_plan(plan)
        if repeated is not None:
            repeated.observe(ledger)
        log.info("Request planned", extra={"request": self.request_id, "tasks": len(plan.tasks)})
        self.wake_releaser()

    async def _advance(self) -> None:
        """End what can no longer run; look after the rest when it is time."""
        ledger, me = self.ledger, self.swarm.me.node
        if ledger.head.cancelling:
            await self._end_all(Cancelled(by=me, reason="request", why=ledger.head.cancelling))
            return
        if ledger.lost:
            await self._end_all(Failed(by=me, reason="error", error=ledger.lost))
            return
        if ledger.past_deadline:
            passed = Failed(by=me, reason="deadline", error=late())
            await self._end_all(passed, self.policies.unserved())
            return
        if (closing := over(ledger)) is not None:
            await self._end_all(closing)
            return
        await ledger.each(
            ledger.settle(
                doomed.step,
                Failed(by=me, reason="dependency", error=doomed.why)
                if doomed.state == "failed"
                else Cancelled(by=me, reason="dependency", why=doomed.why),
            )
            for doomed in (() if self._under_look else ledger.schedule.take_doomed())
        )
        await end_dropped(ledger)
        if self._look:
            self._look = False
            await self.policies.apply()
            await look_after_holders(ledger)
            if ledger.limited:
                await end_late_tasks(ledger, self.policies.unserved())

    async def _end_all(self, pattern: Entry, unserved: Mapping[str, str] | None = None) -> None:
        """End every task that has not ended, each by an entry of its own.

        `unserved`: demand to why nobody serves it, for what failed while it waited for such a node.
        """
        ledger, whys = self.ledger, unserved or {}
        open_steps = [step for step, head in ledger.schedule.heads.items() if not head.terminal]
        waiting = {step for step in open_steps if ledger.schedule.waits_for_a_node(step)} if whys else set()

        def entry(step: str) -> Entry:
            why = whys.get(ledger.schedule.tasks[step].demand) if step in waiting else None
            said = {"error": late(why)} if why else {}
            return pattern.model_copy(update={"id": f"{pattern.id}-{step}", **said})

        await ledger.each(ledger.settle(step, entry(step)) for step in open_steps)
        await self.swarm.queue.withdraw(self.request_id)
