"""Checker: what must always hold (DESIGN.md section 8), asserted on what really happened.

The rules of the log are `tests.checker`; what is known only in here (who really wrote, who really runs
what, when a message leaves the queue) is added.
"""

from typing import TYPE_CHECKING

from picoclaw.swarm.entries import Dead, Planned, Queued, Started
from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.subjects import REQUEST_STEP
from picoclaw.tests.checker import History, Written, check, told
from picoclaw.tests.checker.history import TERMINAL
from picoclaw.tests.checker.judge import judge

from .run import Job, Run
from .server import Ack, Stored

if TYPE_CHECKING:
    from .world import World

HOLDERS_ACTS = frozenset({"end", "retry", "drain", "bury mine"})


class Broken(AssertionError):
    """Raised when something does not hold."""


class Checker:
    """Looks at each append, execution and ack as it happens, and at the whole at the end."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.executing: dict[str, list[tuple[Run, Job]]] = {}
        self.log: dict[str, list[Written]] = {}
        """What the rules of the log have seen, by subject."""
        self.doubles = 0
        """Executions that began while a zombie still ran the same task."""

    def demand(self, holds: bool, what: str) -> None:
        if not holds:
            raise Broken(f"at {self.world.kernel.now:.3f}: {what}")

    # --- the log ---

    def appended(self, before: list[Stored], new: Stored) -> None:
        entry, last = new.entry, before[-1] if before else None
        self.world.note(f"LOG {new.seq} {new.subject} {entry.kind} by {new.writer} ({new.act})")
        written = self._write(new)
        if new.subject.endswith("._"):
            if isinstance(entry, TERMINAL):
                self._request_ended(before, new)
            if isinstance(entry, Planned) and entry.revision is not None and entry.plan is not None:
                self.world.replanned(new.subject.removesuffix("._"), entry.plan)
            return
        if isinstance(entry, TERMINAL):
            self.world.open.discard(new.subject)
        if new.act in HOLDERS_ACTS:
            # The rules of the log see nodes and runs; who really wrote is known only here.
            mine = last is not None and isinstance(last.entry, Started) and last.entry.run == new.writer
            self.demand(mine, f"{new.writer} wrote {entry.kind} on {new.subject}, which it no longer held")
        if new.act in ("take from", "supersede", "bury lost"):
            self._not_robbed(last, new)
        if isinstance(written.entry, Started | Dead):
            self._drains_alone_are_free(before, new)

    def _write(self, new: Stored) -> Written:
        """Judge an append by the rules of the log."""
        request, step = new.subject.split(".")
        before = self.log.setdefault(new.subject, [])
        written = Written(request, step, new.entry, new.seq, new.at)
        task = None if step == REQUEST_STEP else self.world.task(new.subject)
        for violation in judge(before, written, task=task, early=0.0):
            self.demand(False, str(violation))
        before.append(written)
        return written

    def _request_ended(self, before: list[Stored], new: Stored) -> None:
        request = new.subject.removesuffix("._")
        if not any(stored.entry.kind == "planned" for stored in before):
            self.world.open -= {task for task in self.world.open if task.startswith(request + ".")}
        left = sorted(task for task in self.world.open if task.startswith(request + "."))
        self.demand(not left, f"{request} ended before its tasks {left}")
        self.world.open_requests.discard(request)

    def _drains_alone_are_free(self, before: list[Stored], new: Stored) -> None:
        """Attempts are counted by what really happened, not by what the entries say of themselves."""
        counted = sum(isinstance(s.entry, Started) for s in (*before, new)) - sum(
            s.act == "drain" for s in before
        )
        limit = self.world.task(new.subject).max_attempts
        if isinstance(new.entry, Dead):
            self.demand(counted == limit, f"{new.subject} was buried after {counted} of {limit} attempts")
        else:
            self.demand(counted <= limit, f"{new.subject} was started {counted} times of {limit}")

    def _not_robbed(self, last: Stored | None, new: Stored) -> None:
        """A run that works on a task, and that nobody has a reason to take for dead, keeps it."""
        if last is None or not isinstance(last.entry, Started):
            return
        holder = self.world.run(last.entry.run)
        if holder is None:
            return
        held = [job for job in holder.jobs if job.entry == last.entry.id and not job.fenced]
        writer = self.world.run(new.writer)
        decided = writer.decided[new.subject] if writer is not None else self.world.kernel.now
        if held and (holder.well(decided) or holder is writer):
            raise Broken(
                f"at {self.world.kernel.now:.3f}: {new.writer} took {new.subject} from {holder}, "
                "which was alive and working on it"
            )

    # --- executions ---

    def execution(self, run: Run, job: Job) -> None:
        others = self.executing.setdefault(job.id, [])
        for other, elder in others:
            self.demand(other is not run, f"{run} runs {job.id} twice")
            zombie = not other.well(self.world.kernel.now) or elder.fenced or self._superseded(elder)
            # Or the newcomer is the zombie: it thawed between its `started` and its work.
            zombie = zombie or self._superseded(job)
            self.demand(zombie, f"{run} runs {job.id} beside {other}, which holds it")
            self.doubles += 1
        others.append((run, job))
        live = sum(1 for jobs in self.executing.values() for other, _ in jobs if other is run)
        self.demand(live <= run.slots, f"{run} runs {live} jobs in {run.slots} slots")
        allowed = 1 + sum(1 for other, elder in others[:-1] if other.alive)
        self.demand(len(others) <= allowed, f"{job.id} runs {len(others)} times")

    def _superseded(self, job: Job) -> bool:
        last = self.world.log.last(job.id)
        return last is None or last.entry.id != job.entry

    def execution_ended(self, run: Run, job: Job) -> None:
        others = self.executing.get(job.id, [])
        self.executing[job.id] = [(other, elder) for other, elder in others if elder is not job]

    def died(self, run: Run) -> None:
        for task, others in self.executing.items():
            self.executing[task] = [(other, job) for other, job in others if other is not run]

    # --- the queue ---

    def acked(self, run: Run, ack: Ack) -> None:
        """A message leaves the queue only when its task has ended, or waits in a schedule."""
        message = self.world.tasks.messages.get(ack.subject)
        if message is None or message.seq != ack.seq:
            return
        last = self.world.log.last(ack.subject)
        over = last is None or isinstance(last.entry, TERMINAL) or ack.subject in self.world.tasks.schedules
        retried = last is not None and isinstance(last.entry, Queued) and last.entry.not_before is not None
        self.demand(
            over or retried, f"{run} acked {ack.subject}, which is {last.entry.kind if last else 'gone'}"
        )

    def published(self, run: Run, task: str) -> None:
        self.demand(
            self.world.log.last(task) is not None, f"{run} published {task}, which the log does not know"
        )

    def handed_back(self, run: Run, head: TaskHead, task: str) -> None:
        last = self.world.log.last(task)
        fenced = last is not None and last.seq > head.seq
        self.demand(fenced, f"{run} handed {task} back before it had fenced {head.run}")

    # --- the end ---

    def at_the_end(self) -> None:
        world = self.world
        stuck = sorted(world.open_requests | world.open)
        self.demand(not stuck, f"stuck: {', '.join(stuck)}")
        self.demand(
            not world.tasks.messages, f"messages left in the queue: {', '.join(world.tasks.messages)}"
        )
        self.demand(not world.inbox.messages, f"left in the inbox: {', '.join(world.inbox.messages)}")
        running = sorted(task for task, jobs in self.executing.items() if jobs)
        self.demand(not running, f"still running after their end: {', '.join(running)}")
        log = tuple(sorted((w for entries in self.log.values() for w in entries), key=lambda w: w.seq))
        broken = check(History(log=log), early=0.0)
        self.demand(not broken, told(broken))
