"""Worker: `roles.worker` without its I/O, step for step."""

from dataclasses import dataclass, replace
from typing import Any

from picoclaw.swarm.entries import Dead, Done, Entry, Failed, Queued, Started
from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import Delivery, Result
from picoclaw.swarm.rules import Bury, Drop, Postpone, Requeue, Start, Zombie, backoff

from .decisions import OnDelivery
from .kernel import Lost, Sleep, Steps, Wait
from .run import Job, Refused, Run
from .server import Ack

LONGEST_NAK = 1.5
"""Seconds; shorter than in production, so that the server's schedules are part of it."""
RESULT = Result(summary="done")


@dataclass(frozen=True, slots=True)
class Body:
    """A queue message."""

    queued_seq: int
    attempt: int
    excused: int
    max_attempts: int
    timeout: float | None


class Worker:
    """Takes deliveries into its slots and carries out what the decisions say."""

    def __init__(self, run: Run) -> None:
        self.run, self.world = run, run.world
        self.stopped = False
        run.reconnected.append(self._park)
        run.start(self._pull())
        run.start(self._extend())

    def _pull(self) -> Steps:
        while not self.stopped:
            self._park()
            yield Sleep(2.0)

    def _park(self) -> None:
        if len(self.run.jobs) < self.run.slots and not self.stopped:
            self.run.post(lambda: self.world.tasks.park(self.run) if self.run.alive else None)

    def take(self, task: str, body: Any, delivery: Delivery, ack: Ack) -> None:
        if self.stopped or len(self.run.jobs) >= self.run.slots:
            self._nak(ack, 0.0)
            return
        job = Job(task, delivery, ack, body)
        self.run.note(f"takes {task} delivery {delivery.seq}/{delivery.count}")
        self.run.jobs.append(job)
        self.run.start(self._handle(job))
        self._park()

    def _holding(self, job: Job) -> list[Job]:
        return [other for other in self.run.jobs if other.id == job.id and other is not job]

    def _handle(self, job: Job) -> Steps:
        try:
            yield from self._work(job)
        except Lost:
            # An error that nothing else caught: hand it back, as the production worker does.
            self.run.note(f"breaks off {job.id}")
            self._nak(job.ack, 1.0)
        self.run.jobs.remove(job)
        job.ended.set()
        self._park()

    def _work(self, job: Job) -> Steps:
        head: TaskHead | None = yield from self._start(job)
        if head is not None:
            yield from self._execute(job, head)

    # --- started ---

    def _start(self, job: Job) -> Steps:
        body: Body = job.body
        if job.delivery.count == 1 and not self._holding(job):
            try:
                first = Start(body.queued_seq, body.attempt, body.excused)
                return (yield from self._append_started(job, first, "start"))
            except Refused:
                pass
        while True:
            head = yield from self.run.head(job.id)
            decision = self._decide(job, head)
            self.run.note(f"decides on {job.id} ({head.state} {head.seq}): {decision}")
            match decision:
                case Drop():
                    self._ack(job)
                    return None
                case Postpone(delay):
                    self._nak(job.ack, delay.total_seconds())
                    return None
                case Zombie():
                    for other in self.run.jobs:
                        if other.id == job.id and other.seq and other.seq != head.seq:
                            self._fence(other)
                    return None
                case Bury(expected, attempt):
                    if (yield from self._bury(job, expected, attempt, "bury lost")):
                        return None
                case Start():
                    if self.world.decisions.elder_first:
                        for elder in self._holding(job):
                            if job.fenced and self.world.decisions.gives_way:
                                break
                            self._fence(elder)
                            yield Wait(elder.ended)
                        if job.fenced and self.world.decisions.gives_way:
                            return None
                    try:
                        act = "supersede" if head.state == "running" else "start"
                        return (yield from self._append_started(job, decision, act))
                    except Refused:
                        continue

    def _decide(self, job: Job, head: TaskHead) -> OnDelivery:
        mine = any(not other.fenced for other in self._holding(job))
        evidence = self.run.evidence(head, job.id, in_my_jobs=mine)
        self.run.decided[job.id] = self.run.kernel.now
        limit = job.body.max_attempts
        return self.world.decisions.on_delivery(head, job.delivery, evidence, limit, self.run.server_now())

    def _append_started(self, job: Job, start: Start, act: str) -> Steps:
        run = self.run
        entry = Started(
            by=run.node, node=run.node, run=run.id, attempt=start.attempt, excused=start.excused, demand="code",
            priority=1, delivery=job.delivery, ack=f"{job.ack.subject}|{job.ack.seq}", beat=run.beat,
        )  # fmt: skip
        job.entry = entry.id
        job.seq = yield from run.append(job.id, entry, start.expected, act)
        job.attempt, job.excused = start.attempt, start.excused
        run.note(f"started {job.id} attempt {start.attempt}")
        return TaskHead(
            seq=job.seq, state="running", attempt=start.attempt, excused=start.excused, node=run.node,
            run=run.id, delivery=job.delivery,
        )  # fmt: skip

    def _fence(self, job: Job) -> None:
        self.run.note(f"fences its job of {job.id}")
        job.fenced = True
        job.stopping.set()

    # --- the job itself ---

    def _execute(self, job: Job, head: TaskHead) -> Steps:
        does = self.world.behaviour(job.id, job.attempt)
        limit = job.body.timeout
        seconds = does.seconds if limit is None else min(limit, does.seconds)
        job.executing = True
        self.world.checker.execution(self.run, job)
        stopped = yield Wait(job.stopping, seconds)
        if stopped:
            yield Sleep(self.run.kernel.rng.uniform(0, 0.3))
        job.executing = False
        self.world.checker.execution_ended(self.run, job)
        if stopped:
            yield from self._stopped(job, head)
        elif limit is not None and does.seconds > limit:
            yield from self._end(
                job, Failed(by=self.run.node, reason="deadline", error="too long", attempt=job.attempt)
            )
        elif does.outcome == "retry":
            yield from self._retry(job, head)
        elif does.outcome == "fail":
            yield from self._end(
                job, Failed(by=self.run.node, reason="error", error="no", attempt=job.attempt)
            )
        else:
            entry = Done(
                by=self.run.node, node=self.run.node, run=self.run.id, attempt=job.attempt, result=RESULT
            )
            yield from self._end(job, entry)

    def _stopped(self, job: Job, head: TaskHead) -> Steps:
        if job.fenced or not job.draining:
            yield from self._let_go(job)
            return
        requeue = self.world.decisions.on_failure(head, job.body.max_attempts, True)
        assert isinstance(requeue, Requeue)
        try:
            yield from self.run.append(
                job.id, self._queued(requeue, "drained", None), requeue.expected, "drain"
            )
        except Refused:
            yield from self._let_go(job)
            return
        self._nak(job.ack, 0.0)

    def _let_go(self, job: Job) -> Steps:
        head = yield from self.run.head(job.id)
        if head.terminal or head.seq == 0:
            self._ack(job)

    def _retry(self, job: Job, head: TaskHead) -> Steps:
        decision = self.world.decisions.on_failure(head, job.body.max_attempts, False)
        if isinstance(decision, Bury):
            yield from self._bury(job, decision.expected, decision.attempt, "bury mine")
            return
        pause = backoff(job.attempt).total_seconds()
        not_before = self.run.server_now() + pause
        entry = self._queued(decision, "failed", not_before)
        try:
            seq = yield from self.run.append(job.id, entry, decision.expected, "retry")
        except Refused:
            yield from self._let_go(job)
            return
        if pause > LONGEST_NAK:
            later = replace(job.body, queued_seq=seq, attempt=decision.attempt, excused=decision.excused)
            yield from self._call_until_answered(lambda: self.world.tasks.schedule(job.id, later, not_before))
            self._ack(job)
        else:
            self._nak(job.ack, pause)

    def _call_until_answered(self, ask: Any) -> Steps:
        from .kernel import Call

        yield Call(ask)  # a time-out breaks the job off, as in production

    def _bury(self, job: Job, expected: int, attempt: int, act: str) -> Steps:
        entry = Dead(by=self.run.node, attempt=attempt, error="used up", node=self.run.node)
        try:
            yield from self.run.append(job.id, entry, expected, act)
        except Refused:
            return False
        self._ack(job)
        return True

    def _end(self, job: Job, entry: Entry) -> Steps:
        if job.fenced:
            yield from self._let_go(job)
            return
        if not self.world.decisions.result_first:
            self._ack(job)
        try:
            yield from self.run.append(job.id, entry, self.world.decisions.result_expects(job.seq), "end")
        except Refused:
            yield from self._let_go(job)
            return
        self._ack(job)

    def _queued(self, requeue: Requeue, why: str, not_before: float | None) -> Queued:
        return Queued(
            by=self.run.node, attempt=requeue.attempt, excused=requeue.excused, demand="code", priority=1,
            reason=why, not_before=not_before,
        )  # fmt: skip

    # --- beside the jobs ---

    def _ack(self, job: Job) -> None:
        def effect() -> None:
            self.world.checker.acked(self.run, job.ack)
            self.world.tasks.ack(job.ack)

        self.run.post(effect)

    def _nak(self, ack: Ack, delay: float) -> None:
        self.run.post(lambda: self.world.tasks.nak(ack, delay))

    def _extend(self) -> Steps:
        while True:
            yield Sleep(self.world.tasks.ack_wait / 3)
            for job in self.run.jobs:
                if not job.fenced:
                    ack = job.ack
                    self.run.post(lambda ack=ack: self.world.tasks.extend(ack))  # type: ignore[misc]

    def on_order(self, task: str, seq: int) -> None:
        for job in self.run.jobs:
            if job.id == task and 0 < job.seq < seq:
                self._fence(job)

    def drain(self) -> None:
        self.stopped = self.run.draining = True
        self.run.note("drains")
        self.run.start(self._drain())

    def _drain(self) -> Steps:
        yield Sleep(self.run.kernel.rng.uniform(0, 1))
        jobs = list(self.run.jobs)
        for job in jobs:
            job.draining = True
            job.stopping.set()
        for job in jobs:
            yield Wait(job.ended, 3.0)
        yield from self.run.send_beat(goodbye=True)
        self.run.kill()
