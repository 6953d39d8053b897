"""Attempts: one queue message from its delivery to an entry that says how the attempt ended.

The rules are `swarm.rules`; here they are carried out. The order is always log first, then queue;
result first, then ack.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

from ..capabilities.executor import Executor, WithRetry
from ..errors import (
    AppendRefused,
    FinalError,
    JobCancelled,
    RecordRefused,
    RetryableError,
    SwarmError,
    UsageError,
)
from ..swarm.bodies import BODY_LIMIT, pack_queued, pack_result, unpack_queued
from ..swarm.entries import Dead, Done, EntryBase, Failed, Queued, Started
from ..swarm.fold import TaskHead
from ..swarm.foreign import refused
from ..swarm.membership.announcer import Announcer
from ..swarm.records import QueuedTask, Result
from ..swarm.retry_policy import Policy, policy_of
from ..swarm.rules import (
    LONGEST_NAK,
    Bury,
    Drop,
    Postpone,
    Requeue,
    Start,
    Zombie,
    on_delivery,
    on_failure,
)
from ..swarm.swarm import Swarm
from .context import JobContext
from .jobs import Job, JobTable, Slot
from .traced import execute

log = logging.getLogger(__name__)

FindExecutor = Callable[[QueuedTask], Executor | None]

MOST_EXCUSED = 10
"""Attempts that cost a task nothing, as what it needs was gone; from then on they count."""

PATIENCE = timedelta(minutes=2)
"""How long the log is asked for who holds a task while it has no leader; then the message goes back."""

LONGEST_WHY = 4000
"""Characters of an executor's error that go into the log: an entry must fit into a message."""


class Attempts:
    """Carries jobs of one run through; the table of jobs is the worker's."""

    def __init__(
        self,
        swarm: Swarm,
        announcer: Announcer,
        jobs: JobTable,
        find: FindExecutor,
        *,
        cache: Path,
        scratch: Path,
    ) -> None:
        self._swarm = swarm
        self._announcer = announcer
        self._jobs = jobs
        self._find = find
        self._cache = cache
        self._scratch = scratch

    async def carry(self, job: Job) -> None:
        try:
            job.queued = _read_queued(job)
        except RecordRefused as error:
            refused(log, job.delivered.subject, error, what=f"message for {job.id}")
            await job.delivered.terminate(str(error))
            return
        started = await self._start(job, job.queued)
        if started is None:
            return
        try:
            # After `started`, so that a body that is gone costs attempts and ends in a dead letter.
            whole = await unpack_queued(job.queued, self._swarm.artifacts)
        except SwarmError as error:
            await self._retry(job, job.queued, started, str(error))
            return
        await self._run(job, whole, started)

    # --- started ---

    async def _start(self, job: Job, queued: QueuedTask) -> TaskHead | None:
        """Write `started`; return the head that it made, or None when this delivery may not run."""
        if job.delivered.delivery.count == 1 and not self._jobs.holding(job.id, besides=job):
            # The usual case needs no read: the message carries what its `started` must expect.
            first = Start(queued.queued_seq, queued.attempt, queued.excused)
            try:
                return await self._append_started(job, queued, first)
            except AppendRefused:
                pass
        while True:
            head = await self._swarm.log.head(queued.request, queued.task.step, patient=PATIENCE)
            decision = self._decide(job, head, queued)
            match decision:
                case Drop():
                    await job.delivered.ack()
                    return None
                case Postpone(delay):
                    await job.delivered.nak(delay)
                    return None
                case Zombie():
                    log.warning("delivery of %s is stale: dropped", job.id, extra={"task": job.id})
                    self._stop_fenced(job.id, head)
                    return None
                case Bury(expected, attempt):
                    if await self._bury(job, queued, expected, attempt, "its holder was lost"):
                        return None
                case Start():
                    await self._end_elders(job)
                    if job.fenced:
                        return None
                    try:
                        return await self._append_started(job, queued, decision)
                    except AppendRefused:
                        continue

    async def _end_elders(self, job: Job) -> None:
        """End this run's other jobs of the task, unless one of them is about to end this one.

        Two deliveries may come to their start at the same time: who was fenced gives way, or each
        would wait for the other.
        """
        for elder in self._jobs.holding(job.id, besides=job):
            if job.fenced:
                return
            elder.fenced = True
            elder.stop()
            await elder.ended.wait()

    def _decide(
        self, job: Job, head: TaskHead, queued: QueuedTask
    ) -> Start | Bury | Postpone | Drop | Zombie:
        mine = [other for other in self._jobs.holding(job.id, besides=job) if not other.fenced]
        evidence = self._swarm.members.evidence(head, task=job.id, in_my_jobs=bool(mine))
        return on_delivery(
            head,
            job.delivered.delivery,
            evidence,
            max_attempts=queued.task.max_attempts,
            now=self._swarm.members.server.now(),
        )

    async def _append_started(self, job: Job, queued: QueuedTask, start: Start) -> TaskHead:
        # Looked up once: its policy and its work are of one and the same, whatever changes meanwhile.
        job.executor = self._find(queued)
        me, limit = self._swarm.me, _policy(job, queued).attempts
        entry = Started(
            by=me.node,
            node=me.node,
            run=me.run,
            attempt=start.attempt,
            excused=start.excused,
            demand=queued.lane or queued.task.demand,
            priority=queued.priority,
            delivery=job.delivered.delivery,
            ack=job.delivered.ack_subject,
            limit=limit,
            beat=self._announcer.beat,
        )
        job.seq = await self._append(queued, entry, start.expected)
        job.attempt, job.excused = start.attempt, start.excused
        log.info("Task assigned", extra={"task": job.id, "attempt": start.attempt})
        return TaskHead(
            seq=job.seq,
            state="running",
            attempt=start.attempt,
            excused=start.excused,
            node=me.node,
            run=me.run,
            delivery=job.delivered.delivery,
            limit=limit,
        )

    def _stop_fenced(self, task: str, head: TaskHead) -> None:
        """Stop this run's jobs of a task that the log says somebody else holds."""
        for job in self._jobs.holding(task):
            if job.seq and job.seq != head.seq:
                job.fenced = True
                job.stop()

    # --- the job itself ---

    async def _run(self, job: Job, queued: QueuedTask, head: TaskHead) -> None:
        executor = job.executor
        if executor is None:
            # It went while the task was on its way: no fault of the task's, as long as that ends some day.
            why = f"no executor here serves {queued.task.capability or queued.task.demand} any more"
            await self._retry(job, queued, head, why, excused=head.excused < MOST_EXCUSED)
            return
        context = JobContext(
            self._swarm, queued, job.attempt, self._cache, self._scratch, Slot(self._jobs, job)
        )
        limit = queued.task.timeout_s
        job.execution = asyncio.create_task(
            execute(executor, queued, context, self._swarm), name=f"execute {job.id}"
        )
        if job.fenced or job.draining:
            job.stop()
        try:
            async with asyncio.timeout(limit):
                result = await asyncio.shield(job.execution)
        except asyncio.CancelledError:
            job.stop()
            await asyncio.gather(job.execution, return_exceptions=True)
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            await self._stopped(job, queued, head)
        except TimeoutError:
            if job.execution.done() and not job.execution.cancelled():
                # Ended at the very moment of the limit, or by a time-out of the executor's own.
                failure = job.execution.exception()
                if failure is None:
                    await self._finish(job, queued, job.execution.result())
                else:
                    await self._failed(job, queued, head, _in_words(failure))
                return
            job.stop()
            await asyncio.gather(job.execution, return_exceptions=True)
            await self._fail(job, queued, "deadline", f"it ran for over {limit:g} s")
        except FinalError as error:
            await self._fail(job, queued, "error", _clip(str(error)))
        except JobCancelled:
            await self._stopped(job, queued, head)
        except RetryableError as error:
            await self._failed(job, queued, head, _clip(str(error)), delay=error.delay)
        except Exception as error:
            # An executor may raise anything; the task says what.
            log.warning("task %s raised", job.id, exc_info=len(str(error)) <= LONGEST_WHY)
            await self._failed(job, queued, head, _in_words(error))
        else:
            await self._finish(job, queued, result)
        finally:
            await context.close()

    async def _finish(self, job: Job, queued: QueuedTask, result: Result) -> None:
        try:
            inline = await self._swarm.inbox.inline_limit()
            packed = await pack_result(
                _checked(result), self._swarm.artifacts, limit=BODY_LIMIT, inline=inline
            )
        except (ValueError, TypeError, UsageError) as error:
            # pydantic could not put the executor's data into words, or they are far too many: trying
            # again cannot help.
            refused = isinstance(error, UsageError)
            why = f"is refused: {error}" if refused else f"cannot be serialised: {_in_words(error)}"
            await self._fail(job, queued, "error", f"its result {why}")
            return
        entry = Done(
            by=self._swarm.me.node,
            node=self._swarm.me.node,
            run=self._swarm.me.run,
            attempt=job.attempt,
            result=packed,
        )
        if await self._end(job, queued, entry):
            log.info("Task completed", extra={"task": job.id, "attempt": job.attempt})

    async def _stopped(self, job: Job, queued: QueuedTask, head: TaskHead) -> None:
        """Go on after the job was stopped from outside: fenced, or drained."""
        if job.fenced:
            await self._let_go(job, queued)
            return
        if not job.draining:
            await self._retry(job, queued, head, "its executor stopped of itself")
            return
        requeue = on_failure(head, max_attempts=queued.task.max_attempts, drained=True)
        assert isinstance(requeue, Requeue)
        entry = self._queued(queued, requeue, job.why)
        try:
            await self._append(queued, entry, requeue.expected)
        except AppendRefused:
            await self._let_go(job, queued)
            return
        await job.delivered.nak()

    async def _let_go(self, job: Job, queued: QueuedTask) -> None:
        """Drop a fenced job: somebody else decides. Ack only what has ended."""
        job.fenced = True
        head = await self._swarm.log.head(queued.request, queued.task.step, patient=PATIENCE)
        if head.terminal or head.seq == 0:
            await job.delivered.ack()
        log.warning("job of %s was fenced and stopped", job.id, extra={"task": job.id, "state": head.state})

    async def _failed(
        self, job: Job, queued: QueuedTask, head: TaskHead, why: str, *, delay: timedelta | None = None
    ) -> None:
        """Go on after the job itself ended with an error that another attempt may mend."""
        if _policy(job, queued).is_final(why):
            await self._fail(job, queued, "error", f"{why} (final by the retry policy)")
        else:
            await self._retry(job, queued, head, why, delay=delay)

    async def _retry(
        self,
        job: Job,
        queued: QueuedTask,
        head: TaskHead,
        why: str,
        *,
        delay: timedelta | None = None,
        excused: bool = False,
    ) -> None:
        decision = on_failure(head, max_attempts=queued.task.max_attempts, drained=excused)
        if isinstance(decision, Bury):
            await self._bury(job, queued, decision.expected, decision.attempt, why)
            return
        pause = _policy(job, queued).pause(job.attempt) if delay is None else delay
        not_before = self._swarm.members.server.now() + pause.total_seconds()
        entry = self._queued(queued, decision, why, not_before=not_before)
        try:
            seq = await self._append(queued, entry, decision.expected)
        except AppendRefused:
            await self._let_go(job, queued)
            return
        log.warning(
            "Task failed, will be tried again: %s", why, extra={"task": job.id, "attempt": job.attempt}
        )
        if pause > LONGEST_NAK:
            later = queued.model_copy(
                update={"queued_seq": seq, "attempt": decision.attempt, "excused": decision.excused}
            )
            packed = await pack_queued(later, self._swarm.artifacts)
            await self._swarm.queue.schedule(packed, at=not_before)
            await job.delivered.ack()
        else:
            await job.delivered.nak(pause)

    async def _bury(self, job: Job, queued: QueuedTask, expected: int, attempt: int, why: str) -> bool:
        entry = Dead(by=self._swarm.me.node, attempt=attempt, error=why, node=self._swarm.me.node)
        try:
            await self._append(queued, entry, expected)
        except AppendRefused:
            return False
        log.error("Task is dead: %s", why, extra={"task": job.id, "attempt": attempt})
        await self._swarm.bury(queued, entry)
        await job.delivered.ack()
        return True

    async def _fail(
        self, job: Job, queued: QueuedTask, reason: Literal["error", "deadline"], error: str
    ) -> None:
        me = self._swarm.me.node
        await self._end(job, queued, Failed(by=me, reason=reason, error=error, attempt=job.attempt, node=me))

    async def _end(self, job: Job, queued: QueuedTask, entry: EntryBase) -> bool:
        """Write a terminal entry over my own `started`, then ack."""
        if job.fenced:
            await self._let_go(job, queued)
            return False
        try:
            await self._append(queued, entry, job.seq)
        except AppendRefused:
            await self._let_go(job, queued)
            return False
        await job.delivered.ack()
        return True

    def _queued(
        self, queued: QueuedTask, requeue: Requeue, why: str, *, not_before: float | None = None
    ) -> Queued:
        return Queued(
            by=self._swarm.me.node,
            attempt=requeue.attempt,
            excused=requeue.excused,
            demand=queued.lane or queued.task.demand,
            priority=queued.priority,
            reason=why[:500],
            not_before=not_before,
        )

    async def _append(self, queued: QueuedTask, entry: EntryBase, expected: int) -> int:
        return await self._swarm.log.append(queued.request, queued.task.step, entry, expected=expected)


def _policy(job: Job, queued: QueuedTask) -> Policy:
    """Return how attempts at a task go on here, where its capability may be defined."""
    return policy_of(queued.task, job.executor.retry if isinstance(job.executor, WithRetry) else None)


def _read_queued(job: Job) -> QueuedTask:
    queued = QueuedTask.from_bytes(job.delivered.data)
    if queued.id != job.id:
        raise RecordRefused(f"it says that it is {queued.id[:100]!r}: it was not written by PicoClaw")
    return queued


def _checked(result: object) -> Result:
    if not isinstance(result, Result):
        raise TypeError(f"the executor returned {type(result).__name__}, not a Result")
    return result


def _in_words(error: BaseException) -> str:
    text = _clip(str(error).strip())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _clip(text: str) -> str:
    """Return a text as an entry can carry it: not too long, and without what UTF-8 cannot say."""
    short = text[:LONGEST_WHY].encode("utf-8", "replace").decode()
    return short if len(text) <= LONGEST_WHY else f"{short}… ({len(text)} characters)"
