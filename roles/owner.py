"""Owner: carries one request from its plan to its end.

Its memory is the fold of the request's log: it can stop at any point and another one goes on.
Everything it decides about a task is an append to that task's own log, so a stale owner needs no
other fence (DESIGN.md section 3).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ..errors import AppendRefused, PlanError, SwarmError
from ..swarm.bodies import INLINE_LIMIT, pack_queued, pack_result, unpack_plan, unpack_request, unpack_result
from ..swarm.demand import Demand, parse_demand
from ..swarm.entries import (
    Accepted,
    Cancelled,
    Dead,
    Done,
    EntryBase,
    Failed,
    Planned,
    Queued,
)
from ..swarm.fold import RequestHead, TaskHead, fold_request, fold_task
from ..swarm.follow import Followed
from ..swarm.log import decode
from ..swarm.records import Plan, QueuedTask, Request, Result, Task
from ..swarm.rules import Bury, Requeue, on_lost_holder
from ..swarm.subjects import REQUEST_STEP, split_log_subject, task_id
from ..swarm.swarm import Swarm
from ..swarm.unroutable import why_unroutable
from .planning.plan import make_plan
from .planning.template import Template
from .planning.validate import validate
from .schedule import Schedule
from .synthesis.join import join
from .synthesis.outcome import Outcome

log = logging.getLogger(__name__)

RECONCILE = timedelta(seconds=2)
SETTLE = 2.0
"""Seconds that a `queued` entry may stand before its queue message is looked after."""
DEADLINE_GRACE = 10.0
"""Seconds past a task's limit after which the owner ends it, its worker having failed to."""
AT_ONCE = 256
"""Releases and other appends of one request under way at once."""


class Fenced(Exception):
    """Raised when somebody else owns the request now."""


@dataclass(slots=True)
class Owner:
    """One request of this coordinator."""

    swarm: Swarm
    request_id: str
    templates: Sequence[Template]
    wake_releaser: Callable[[], None]
    can_run_here: Callable[[str], bool]
    """Whether this node has an executor for a demand, for the policy `local`."""
    head: RequestHead = field(default_factory=RequestHead)
    request: Request | None = None
    schedule: Schedule | None = None
    _early: list[Followed] | None = field(default_factory=list)
    """What the log said before the history was read; None once that is done."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _unserved_since: dict[str, float] = field(default_factory=dict)
    _look: bool = True
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    # --- what the log says ---

    def observe(self, followed: Followed) -> None:
        """Take a message of the request's log, in order; never blocks."""
        if self._early is not None:
            self._early.append(followed)
            return
        self._apply(followed)
        self._wake.set()
        self.wake_releaser()

    def _apply(self, followed: Followed) -> None:
        _, step = split_log_subject(followed.subject)
        entry = decode(followed)
        if step == REQUEST_STEP:
            self.head = fold_request(self.head, entry, followed.seq, followed.at)
            if isinstance(entry, Accepted):
                self.request = entry.request
            return
        if self.schedule is None or step not in self.schedule.heads:
            return
        head = fold_task(self.schedule.heads[step], entry, followed.seq, followed.at)
        self.schedule.observe(step, head, entry.result if isinstance(entry, Done) else None)

    async def _load(self) -> None:
        """Read the request's history, then what came meanwhile."""
        history = [followed async for followed in self.swarm.log.history(self.request_id)]
        plan: Plan | None = None
        for followed in history:
            if split_log_subject(followed.subject)[1] == REQUEST_STEP:
                self._apply(followed)
                entry = decode(followed)
                if isinstance(entry, Planned):
                    plan = await unpack_plan(entry, self.swarm.artifacts)
        if self.request is None:
            raise SwarmError(f"the log of {self.request_id} does not begin with a request: it was damaged")
        self.request = await unpack_request(self.request, self.swarm.artifacts)
        if plan is not None:
            self.schedule = Schedule(plan)
        for followed in history:
            self._apply(followed)
        early, self._early = self._early or [], None
        for followed in early:
            self._apply(followed)

    # --- its life ---

    async def run(self) -> None:
        """Carry the request to its end; returns when it ended or somebody else owns it."""
        try:
            await self._load()
            if not self.head.terminal and self.schedule is None and not self.head.cancelling:
                await self._plan()
            while not self._ended():
                self._check_ownership()
                self._wake.clear()
                await self._advance()
                if self.schedule is None or self.schedule.finished:
                    await self._end()
                    continue
                try:
                    async with asyncio.timeout(RECONCILE.total_seconds()):
                        await self._wake.wait()
                except TimeoutError:
                    await self._reconcile()
        except Fenced:
            log.info("request passed to another coordinator", extra={"request": self.request_id})

    def _ended(self) -> bool:
        return self.head.terminal

    def look_around(self) -> None:
        """Look after holders, policies and deadlines: time has passed or the members changed."""
        self._look = True
        self._wake.set()

    def _check_ownership(self) -> None:
        if self.head.run != self.swarm.me.run and not self.head.terminal:
            raise Fenced

    async def _append_request(self, entry: EntryBase) -> None:
        """Append to the request's own log, over entries of others that do not take it from us."""
        while True:
            try:
                seq = await self.swarm.log.append(
                    self.request_id, REQUEST_STEP, entry, expected=self.head.seq
                )
            except AppendRefused:
                await self._refresh()
                self._check_ownership()
                if self.head.terminal:
                    return
                continue
            self.head = fold_request(self.head, entry, seq, self.swarm.members.server.now())  # type: ignore[arg-type]
            return

    async def _refresh(self) -> None:
        async for followed in self.swarm.log.history(self.request_id, REQUEST_STEP):
            self._apply(followed)

    async def _plan(self) -> None:
        assert self.request is not None
        try:
            plan = validate(make_plan(self.request, self.templates))
        except PlanError as error:
            await self._append_request(Failed(by=self.swarm.me.node, reason="plan", error=str(error)))
            log.warning("Request failed: %s", error, extra={"request": self.request_id})
            return
        me = self.swarm.me
        entry = Planned(by=me.node, owner=me.node, run=me.run, plan=plan)
        if len(entry.to_bytes()) > INLINE_LIMIT:
            ref = await self.swarm.artifacts.put(plan.to_bytes(), media_type="application/json")
            entry = Planned(id=entry.id, by=me.node, owner=me.node, run=me.run, ref=ref)
        await self._append_request(entry)
        self.schedule = Schedule(plan)
        log.info("Request planned", extra={"request": self.request_id, "tasks": len(plan.tasks)})
        self.wake_releaser()

    # --- what must be done now ---

    async def _advance(self) -> None:
        """End what can no longer run."""
        schedule = self.schedule
        if schedule is None:
            return
        if self.head.cancelling:
            await self._end_all(
                lambda _: Cancelled(by=self.swarm.me.node, reason="request", why=self.head.cancelling)
            )
            return
        if self._past_deadline():
            await self._end_all(
                lambda _: Failed(
                    by=self.swarm.me.node, reason="deadline", error="the request's deadline passed"
                )
            )
            return
        await self._each(
            self._settle(
                doomed.step,
                Failed(by=self.swarm.me.node, reason="dependency", error=doomed.why)
                if doomed.state == "failed"
                else Cancelled(by=self.swarm.me.node, reason="dependency", why=doomed.why),
            )
            for doomed in schedule.take_doomed()
        )
        if self._look:
            self._look = False
            await self._apply_policies()
            await self._take_from_the_lost()

    def _past_deadline(self) -> bool:
        assert self.request is not None
        limit = self.request.deadline_s
        return limit is not None and self.swarm.members.server.now() - self.head.accepted_at > limit

    async def _end_all(self, entry: Callable[[str], EntryBase]) -> None:
        assert self.schedule is not None
        open_steps = [step for step, head in self.schedule.heads.items() if not head.terminal]
        await self._each(self._settle(step, entry(step)) for step in open_steps)
        await self.swarm.queue.withdraw(self.request_id)

    async def _settle(self, step: str, entry: EntryBase) -> None:
        """End a task from outside, over whatever it is doing; fence who holds it."""
        assert self.schedule is not None
        while True:
            head = self.schedule.heads[step]
            if head.terminal:
                return
            try:
                seq = await self.swarm.log.append(self.request_id, step, entry, expected=head.seq)
            except AppendRefused:
                await self._reread(step)
                continue
            self._know(step, entry, seq)
            if head.state == "running":
                await self.swarm.fence(head.node, task_id(self.request_id, step), seq)
            return

    async def _reread(self, step: str) -> None:
        """Take a task's head from the leader: the follower is behind."""
        assert self.schedule is not None
        async for followed in self.swarm.log.history(self.request_id, step):
            self._apply(followed)

    def _know(self, step: str, entry: EntryBase, seq: int) -> None:
        """Fold what was just written, ahead of the follower."""
        assert self.schedule is not None
        now = self.swarm.members.server.now()
        head = fold_task(self.schedule.heads[step], entry, seq, now)  # type: ignore[arg-type]
        self.schedule.observe(step, head)

    async def _each(self, works: Iterable[Coroutine[Any, Any, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(self._gated(work))

    async def _gated(self, work: Coroutine[Any, Any, None]) -> None:
        async with self._gate:
            await work

    # --- release ---

    def may_release(self, demand: str, slots: int) -> int:
        """Return how many tasks of a demand the releaser may put on its lane now.

        While nobody serves the demand, tasks whose policy is not to wait are held back: their
        policy decides once its grace is over.
        """
        if self.schedule is None or self.head.cancelling:
            return 0
        if slots:
            return self.schedule.ready(demand)
        tasks = self.schedule.tasks
        return sum(
            1 for step in self.schedule.ready_steps(demand) if self._policy(tasks[step].unroutable) == "wait"
        )

    def _policy(self, of_task: str) -> str:
        assert self.request is not None
        return self.request.unroutable or of_task

    async def release(self, steps: Sequence[str]) -> None:
        """Put taken tasks on their lanes."""
        await self._each(self._release(step) for step in steps)

    async def _release(self, step: str, lane: str | None = None) -> None:
        assert self.schedule is not None
        assert self.request is not None
        head = self.schedule.heads[step]
        if head.state != "planned":
            return
        task = self.schedule.tasks[step]
        priority = self.request.priority if task.priority is None else task.priority
        entry = Queued(
            by=self.swarm.me.node, demand=lane or task.demand, priority=priority, reason="released"
        )
        try:
            seq = await self.swarm.log.append(self.request_id, step, entry, expected=head.seq)
        except AppendRefused:
            await self._reread(step)
            self.schedule.give_back(step)
            return
        self._know(step, entry, seq)
        await self._publish(step)

    async def _publish(self, step: str) -> bool:
        """See to it that a queued task has its message; harmless when it has one."""
        queued = await pack_queued(self._queued_task(step), self.swarm.artifacts)
        return await self.swarm.queue.publish(queued)

    # --- nobody serves it ---

    async def _apply_policies(self) -> None:
        assert self.schedule is not None
        now = asyncio.get_running_loop().time()
        works: list[Coroutine[Any, Any, None]] = []
        for demand in list(self.schedule.demands):
            wanted = parse_demand(demand)
            if self.swarm.members.slots_for(wanted):
                self._unserved_since.pop(demand, None)
                continue
            since = self._unserved_since.setdefault(demand, now)
            for step in [*self.schedule.ready_steps(demand), *self._queued_with(demand)]:
                task = self.schedule.tasks[step]
                policy = self._policy(task.unroutable)
                if policy != "wait" and now - since >= task.grace_s:
                    works.append(self._unroutable(step, policy, wanted))
        await self._each(works)

    def _queued_with(self, demand: str) -> list[str]:
        assert self.schedule is not None
        heads = self.schedule.heads
        return [step for step in self.schedule.queued_steps() if heads[step].demand == demand]

    async def _unroutable(self, step: str, policy: str, demand: Demand) -> None:
        assert self.schedule is not None
        offers = [member.offer for member in self.swarm.members.living()]
        why = why_unroutable(demand, offers)
        me = self.swarm.me.node
        if policy == "skip":
            await self._settle(step, Cancelled(by=me, reason="skipped", why=why))
        elif policy == "local" and self.can_run_here(str(demand)):
            await self._run_here(step)
        else:
            more = "; nor can this coordinator run it" if policy == "local" else ""
            await self._settle(step, Failed(by=me, reason="unroutable", error=why + more))

    async def _run_here(self, step: str) -> None:
        """Move a task to this node's own lane."""
        assert self.schedule is not None
        lane = str(Demand(node=self.swarm.me.node))
        head = self.schedule.heads[step]
        if head.demand == lane:
            return
        if head.state == "planned":
            self.schedule.take(step)
            await self._release(step, lane)
            return
        entry = Queued(
            by=self.swarm.me.node, attempt=head.attempt, excused=head.excused, demand=lane,
            priority=head.priority, reason="nobody else serves it",
        )  # fmt: skip
        try:
            seq = await self.swarm.log.append(self.request_id, step, entry, expected=head.seq)
        except AppendRefused:
            return
        self._know(step, entry, seq)
        await self.swarm.queue.withdraw(self.request_id, step)
        await self._publish(step)

    # --- holders that are lost, messages that are missing ---

    def holders(self) -> set[str]:
        """Return the nodes that hold running tasks of this request."""
        if self.schedule is None:
            return set()
        return {self.schedule.heads[step].node for step in self.schedule.running}

    async def _take_from_the_lost(self) -> None:
        assert self.schedule is not None
        works: list[Coroutine[Any, Any, None]] = []
        for step in self.schedule.running:
            head, task = self.schedule.heads[step], self.schedule.tasks[step]
            age = self.swarm.members.server.now() - head.at
            if task.timeout_s is not None and age > task.timeout_s + DEADLINE_GRACE:
                error = f"it ran for over {task.timeout_s} s and its worker did not end it"
                works.append(
                    self._settle(step, Failed(by=self.swarm.me.node, reason="deadline", error=error))
                )
                continue
            # A worker's own jobs are asked only by itself: this process may run one beside us.
            evidence = self.swarm.members.evidence(head, task=task_id(self.request_id, step), in_my_jobs=True)
            decision = on_lost_holder(head, evidence, max_attempts=self._max_attempts(task))
            if decision is not None:
                works.append(self._take_from(step, head, decision, run_dead=evidence.run_dead))
        await self._each(works)

    def _max_attempts(self, task: Task) -> int:
        limit = self.request.max_attempts if self.request is not None else None
        return task.max_attempts if limit is None else limit

    async def _take_from(
        self, step: str, head: TaskHead, decision: Requeue | Bury, *, run_dead: bool
    ) -> None:
        why = f"node offline: {head.node}" if run_dead else f"lost by {head.node}"
        entry: EntryBase
        if isinstance(decision, Bury):
            entry = Dead(by=self.swarm.me.node, attempt=decision.attempt, error=why, node=head.node)
        else:
            entry = Queued(
                by=self.swarm.me.node,
                attempt=decision.attempt,
                excused=decision.excused,
                demand=head.demand,
                priority=head.priority,
                reason=why,
            )
        try:
            seq = await self.swarm.log.append(self.request_id, step, entry, expected=decision.expected)
        except AppendRefused:
            return  # the holder, or another owner, was first: the follower will tell
        self._know(step, entry, seq)
        log.warning("Task taken from its holder: %s", why, extra={"task": task_id(self.request_id, step)})
        await self.swarm.fence(head.node, task_id(self.request_id, step), seq)
        if isinstance(entry, Dead):
            await self.swarm.bury(self._queued_task(step), entry)
            await self.swarm.queue.withdraw(self.request_id, step)
        else:
            await self.swarm.queue.hand_back(head.ack)

    def _queued_task(self, step: str) -> QueuedTask:
        """Return the queue message of a task, as its head says."""
        assert self.schedule is not None
        assert self.request is not None
        head, task = self.schedule.heads[step], self.schedule.tasks[step]
        limit = self._max_attempts(task)
        if limit != task.max_attempts:
            task = task.model_copy(update={"max_attempts": limit})
        return QueuedTask(
            request=self.request_id,
            task=task,
            priority=head.priority,
            queued_seq=head.seq,
            attempt=head.attempt,
            excused=head.excused,
            lane=head.demand if head.demand != task.demand else None,
            text=self.request.text,
            inputs=self.schedule.inputs(step),
        )

    async def _reconcile(self) -> None:
        """See to it that what should be in the work queue is."""
        if self.schedule is None:
            return
        now = self.swarm.members.server.now()
        due = []
        for step in self.schedule.queued_steps():
            head = self.schedule.heads[step]
            waits = head.not_before is not None and head.not_before > now
            if head.state == "queued" and not waits and now - max(head.at, head.not_before or 0) > SETTLE:
                due.append(step)
        await self._each(self._republish(step) for step in due)

    async def _republish(self, step: str) -> None:
        if await self._publish(step):
            log.info("queue message restored", extra={"task": task_id(self.request_id, step)})

    # --- the end ---

    async def _end(self) -> None:
        """All tasks have ended: join, and write the request's end."""
        me = self.swarm.me.node
        if self.schedule is None:
            await self._append_request(
                Cancelled(by=me, reason="person", why=self.head.cancelling or "cancelled")
            )
            return
        assert self.request is not None
        outcomes = [await self._outcome(step) for step in self.schedule.tasks]
        try:
            report = await asyncio.to_thread(join, self.schedule.plan, self.request, outcomes)
        except PlanError as error:
            await self._append_request(Failed(by=me, reason="plan", error=str(error)))
            return
        result = await pack_result(
            Result(
                summary=report.summary,
                data={"markdown": report.markdown, "data": report.data},
            ),
            self.swarm.artifacts,
        )
        await self._append_request(self._last_entry(outcomes, result, partial=report.partial))
        log.info(
            "Request ended",
            extra={"request": self.request_id, "state": self.head.state, "tasks": len(outcomes)},
        )

    def _last_entry(self, outcomes: Sequence[Outcome], result: Result, *, partial: bool) -> EntryBase:
        me = self.swarm.me.node
        if self.head.cancelling:
            return Cancelled(by=me, reason="person", why=self.head.cancelling, result=result)
        done = [outcome for outcome in outcomes if outcome.state == "done"]
        if len(done) == len(outcomes):
            return Done(by=me, node=me, run=self.swarm.me.run, result=result, partial=partial)
        if self._past_deadline():
            error = f"the request's deadline of {self.request.deadline_s if self.request else 0} s passed"
            return Failed(by=me, reason="deadline", error=error, result=result)
        if done:
            return Done(by=me, node=me, run=self.swarm.me.run, result=result, partial=True)
        first = outcomes[0]
        why = f"{first.step} {first.state}: {first.reason}"
        if all(outcome.state == "cancelled" for outcome in outcomes):
            return Cancelled(by=me, reason="skipped", why=why, result=result)
        return Failed(by=me, reason="error", error=why, result=result)

    async def _outcome(self, step: str) -> Outcome:
        assert self.schedule is not None
        head, task = self.schedule.heads[step], self.schedule.tasks[step]
        result = self.schedule.results.get(step)
        reason = head.reason
        if result is not None:
            try:
                result = await unpack_result(result, self.swarm.artifacts)
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
