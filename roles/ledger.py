"""Ledger: what one request's log says, and how its owner writes to it.

The fold of the log is the owner's whole memory. Every decision about a task is an append to that
task's own log by compare-and-set, so a stale owner needs no other fence (DESIGN.md section 3).
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import AppendRefused, BodyGone, RecordRefused, SwarmError
from ..swarm.background import first_error
from ..swarm.bodies import unpack_plan, unpack_request
from ..swarm.entries import Accepted, Done, Entry, Planned, Queued, Started
from ..swarm.fold import RequestHead, TaskHead, fold_request, fold_task
from ..swarm.follow import Followed
from ..swarm.log import decode
from ..swarm.records import Plan, QueuedTask, Request, Task
from ..swarm.retry_policy import of_task
from ..swarm.subjects import REQUEST_STEP, split_log_subject, task_id
from ..swarm.swarm import Swarm
from .schedule import Schedule

log = logging.getLogger(__name__)

AT_ONCE = 256
"""Appends of one request under way at once."""


class Fenced(Exception):
    """Raised when somebody else owns the request now."""


class Purged(SwarmError):
    """Raised when the request's log is gone: the janitor, or an operator, removed it."""


@dataclass(slots=True)
class Ledger:
    """One owned request: its head, its plan, and where each of its tasks stands."""

    swarm: Swarm
    request_id: str
    head: RequestHead = field(default_factory=RequestHead)
    _request: Request | None = None
    _schedule: Schedule | None = None
    lost: str = ""
    """Why it can no longer be carried out: with a body went what was to be done; empty: nothing is missing."""
    trace: str | None = None
    """W3C `traceparent` of the request's span; None: nobody traces."""
    _limited: bool = False
    _early: list[Followed] | None = field(default_factory=list)
    """What the log said before the history was read; None once that is done."""
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @property
    def request(self) -> Request:
        """The request; only once `load` has read it."""
        assert self._request is not None
        return self._request

    @property
    def planned(self) -> bool:
        return self._schedule is not None

    @property
    def schedule(self) -> Schedule:
        """The tasks; only once the request is planned."""
        assert self._schedule is not None
        return self._schedule

    @property
    def limited(self) -> bool:
        """Whether a task of the plan has a deadline of its own."""
        return self._limited

    @property
    def me(self) -> str:
        return self.swarm.me.node

    @property
    def now(self) -> float:
        """Server time, seconds since the epoch."""
        return self.swarm.members.server.now()

    @property
    def past_deadline(self) -> bool:
        """Whether the request's deadline has passed, by server time since its acceptance."""
        limit = self.request.deadline_s
        return limit is not None and self.now - self.head.accepted_at > limit

    def task_id(self, step: str) -> str:
        return task_id(self.request_id, step)

    # --- reading ---

    def observe(self, followed: Followed) -> bool:
        """Take a message of the request's log, in order; return whether it was folded at once."""
        if self._early is not None:
            self._early.append(followed)
            return False
        self._apply(followed)
        return True

    def _apply(self, followed: Followed) -> None:
        _, step = split_log_subject(followed.subject)
        if followed.seq <= self._folded(step):
            return  # what this run wrote itself comes again by the follower
        entry = decode(followed)
        if step == REQUEST_STEP:
            self.head = fold_request(self.head, entry, followed.seq, followed.at)
            if isinstance(entry, Accepted) and self._request is None:
                self._request = entry.request
            return
        if self._schedule is None or step not in self._schedule.heads:
            return
        head = fold_task(self._schedule.heads[step], entry, followed.seq, followed.at)
        new = self._schedule.observe(step, head, entry.result if isinstance(entry, Done) else None)
        if new and self._early is None and log.isEnabledFor(logging.DEBUG):
            self._say(step, entry)

    def _folded(self, step: str) -> int:
        """Return the sequence up to which a subject has been folded."""
        if step == REQUEST_STEP:
            return self.head.seq
        head = self._schedule.heads.get(step) if self._schedule is not None else None
        return head.seq if head is not None else 0

    def _say(self, step: str, entry: Entry | None) -> None:
        """Log what the guide promises of a coordinator's debug log."""
        if isinstance(entry, Started | Done):
            word = "Task assigned" if isinstance(entry, Started) else "Task completed"
            extra = {"task": self.task_id(step), "attempt": entry.attempt, "member": entry.node}
            log.debug(word, extra=extra)

    async def load(self) -> None:
        """Read the request's history, then what came meanwhile.

        What of it is no longer stored makes it `lost`. Raises Purged when there is no history any more,
        SwarmError when a body cannot be fetched now.
        """
        history = [followed async for followed in self.swarm.log.history(self.request_id)]
        planned: Planned | None = None
        for followed in history:
            if split_log_subject(followed.subject)[1] == REQUEST_STEP:
                self._apply(followed)
                entry = decode(followed)
                planned = entry if isinstance(entry, Planned) else planned
        if self._request is None:
            raise Purged(f"the log of {self.request_id} no longer begins with a request: it was removed")
        await self._unpack()
        if planned is not None:
            try:
                self.take_plan(await unpack_plan(planned, self.swarm.artifacts))
            except (BodyGone, RecordRefused) as error:
                self.lost = f"its plan is lost: {error}"
                self.take_plan(_begun(history))
        for followed in history:
            self._apply(followed)
        self._catch_up()

    async def begin(self, accepted: Accepted, seq: int) -> None:
        """Begin with the log's first entry, which this run has just written; nothing is to be read.

        What came after it was observed. Raises as `load`.
        """
        self.head = fold_request(self.head, accepted, seq, self.now)
        self._request = accepted.request
        await self._unpack()
        self._catch_up()

    async def _unpack(self) -> None:
        """Fetch the request's body; without it the stand-in is all there is."""
        try:
            self._request = await unpack_request(self.request, self.swarm.artifacts)
        except (BodyGone, RecordRefused) as error:
            self.lost = f"what it asks for is lost: {error}"

    def _catch_up(self) -> None:
        early, self._early = self._early or [], None
        for followed in early:
            self._apply(followed)

    async def reread(self, step: str) -> None:
        """Take one subject's entries from the leader: the follower is behind."""
        async for followed in self.swarm.log.history(self.request_id, step):
            self._apply(followed)

    def check_ownership(self) -> None:
        """Raise Fenced when the log names another run as owner."""
        if self.head.run != self.swarm.me.run and not self.head.terminal:
            raise Fenced

    # --- writing ---

    def take_plan(self, plan: Plan) -> None:
        """Begin with a plan whose manifest has just been written."""
        self._schedule = Schedule(plan)
        self._limited = any(task.deadline_s is not None for task in plan.tasks)

    def change_plan(self, plan: Plan) -> None:
        """Go on with a later revision of the plan, which has just been written: it holds all tasks of the one before."""
        before = self.schedule
        self.take_plan(plan)
        for step, head in before.heads.items():
            self.schedule.observe(step, head, before.results.get(step))

    async def append_request(self, entry: Entry) -> None:
        """Append to the request's own log, over entries that do not take it from us.

        Returns without having written when the request has ended; raises Fenced, and SwarmError for a
        plan where there is one already.
        """
        while not self.head.terminal:
            # The follower may have folded another owner's entry since the last look: to expect that
            # one's sequence would pass the compare-and-set.
            self.check_ownership()
            if isinstance(entry, Planned) and self.head.revision >= (entry.revision or 1):
                # Written by this run before a link broke, and stored only now: that one counts.
                raise SwarmError(f"{self.request_id} has a plan already")
            try:
                seq = await self.swarm.log.append(
                    self.request_id, REQUEST_STEP, entry, expected=self.head.seq
                )
            except AppendRefused as error:
                self._check_purged(error)
                await self.reread(REQUEST_STEP)
                if error.written:
                    return
                continue
            self.head = fold_request(self.head, entry, seq, self.now)
            return

    async def append_task(self, step: str, entry: Entry, *, expected: int) -> int | None:
        """Append to a task's log; return the sequence, or None when somebody else was first."""
        try:
            seq = await self.swarm.log.append(self.request_id, step, entry, expected=expected)
        except AppendRefused as error:
            self._check_purged(error)
            await self.reread(step)
            return None
        # Folded ahead of the follower, which will find nothing new in it.
        self.schedule.observe(step, fold_task(self.schedule.heads[step], entry, seq, self.now))
        return seq

    def _check_purged(self, refused: AppendRefused) -> None:
        """Raise Purged when nothing stands on a subject that an entry was to follow on."""
        if refused.last_seq == 0:
            raise Purged(f"the log of {self.request_id} was removed while it ran: the request is let go")

    async def settle(self, step: str, entry: Entry) -> None:
        """End a task from outside, over whatever it is doing; fence who holds it."""
        while not (head := self.schedule.heads[step]).terminal:
            seq = await self.append_task(step, entry, expected=head.seq)
            if seq is not None and head.state == "running":
                await self.swarm.fence(head.node, self.task_id(step), seq)

    async def each(self, works: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Do several things at once, up to the gate; raises the first error as itself."""
        begun = list(works)
        if not begun:
            return
        try:
            async with asyncio.TaskGroup() as group:
                for work in begun:
                    group.create_task(self._gated(work))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None

    async def _gated(self, work: Coroutine[Any, Any, None]) -> None:
        async with self._gate:
            await work

    # --- its tasks ---

    def max_attempts(self, task: Task) -> int:
        return of_task(self.request, task).max_attempts

    def queued_task(self, step: str) -> QueuedTask:
        """Return the queue message of a task, as its head says."""
        head: TaskHead = self.schedule.heads[step]
        task = of_task(self.request, self.schedule.tasks[step])
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
            budget=self.request.budget,
            parent=self.request.parent,
            trace=self.trace,
        )


def _begun(history: Iterable[Followed]) -> Plan:
    """Return a plan of those tasks that the log knows, where the request's own is gone: they must end."""
    demands: dict[str, str] = {}
    for followed in history:
        entry, step = decode(followed), split_log_subject(followed.subject)[1]
        if step != REQUEST_STEP and isinstance(entry, Queued | Started):
            demands.setdefault(step, entry.demand)
    return Plan(tasks=tuple(Task(step=step, demand=demand) for step, demand in demands.items()))
