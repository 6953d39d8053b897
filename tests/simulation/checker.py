"""Checker: what must always hold (DESIGN.md section 8), asserted on what really happened."""

from typing import TYPE_CHECKING

from picoclaw.swarm.entries import Cancelled, Dead, Done, Failed, Queued, Started
from picoclaw.swarm.fold import TaskHead, fold_task
from picoclaw.swarm.rules import spent

from .run import Job, Run
from .server import Ack, Stored

if TYPE_CHECKING:
    from .world import World

TERMINAL = (Done, Failed, Cancelled, Dead)
HOLDERS_ACTS = frozenset({"end", "retry", "drain", "bury mine"})


class Broken(AssertionError):
    """Raised when something does not hold."""


class Checker:
    """Looks at each append, execution and ack as it happens, and at the whole at the end."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.executing: dict[str, list[tuple[Run, Job]]] = {}
        self.doubles = 0
        """Executions that began while a zombie still ran the same task."""

    def demand(self, holds: bool, what: str) -> None:
        if not holds:
            raise Broken(f"at {self.world.kernel.now:.3f}: {what}")

    # --- the log ---

    def appended(self, before: list[Stored], new: Stored) -> None:
        entry, last = new.entry, before[-1] if before else None
        self.world.note(f"LOG {new.seq} {new.subject} {entry.kind} by {new.writer} ({new.act})")
        ended = last is not None and isinstance(last.entry, TERMINAL)
        self.demand(not ended, f"{new.writer} wrote {entry.kind} on {new.subject} after its end")
        if new.subject.endswith("._"):
            self._request_appended(before, new)
            return
        if isinstance(entry, TERMINAL):
            self.world.open.discard(new.subject)
            self._says_why(new)
        if new.act in HOLDERS_ACTS:
            mine = last is not None and isinstance(last.entry, Started) and last.entry.run == new.writer
            self.demand(mine, f"{new.writer} wrote {entry.kind} on {new.subject}, which it no longer held")
        if new.act in ("take from", "supersede", "bury lost"):
            self._not_robbed(last, new)
        if isinstance(entry, Started):
            self._started(before, new, entry)
        if isinstance(entry, Dead):
            self._used_up(before, new)

    def _says_why(self, new: Stored) -> None:
        reason = fold_task(TaskHead(), new.entry, 1, 0.0).reason
        self.demand(isinstance(new.entry, Done) or bool(reason), f"{new.subject} ended without a reason")

    def _request_appended(self, before: list[Stored], new: Stored) -> None:
        if new.act == "request":
            owner = next((s.writer for s in reversed(before) if s.act in ("accept", "take over")), None)
            self.demand(owner == new.writer, f"{new.writer} wrote on {new.subject}, which {owner} owns")
        if isinstance(new.entry, TERMINAL):
            request = new.subject.removesuffix("._")
            if not any(stored.entry.kind == "planned" for stored in before):
                self.world.open -= {task for task in self.world.open if task.startswith(request + ".")}
            left = sorted(task for task in self.world.open if task.startswith(request + "."))
            self.demand(not left, f"{request} ended before its tasks {left}")
            self.world.open_requests.discard(request)

    def _started(self, before: list[Stored], new: Stored, entry: Started) -> None:
        taken = [s.entry.attempt for s in before if isinstance(s.entry, Started)]
        self.demand(entry.attempt not in taken, f"{new.subject} was started twice as attempt {entry.attempt}")
        limit = self.world.task(new.subject).max_attempts
        self.demand(
            spent(entry.attempt, entry.excused) <= limit, f"{new.subject} passed its {limit} attempts"
        )
        counted = len(taken) + 1 - sum(1 for s in before if s.act == "drain")
        self.demand(counted <= limit, f"{new.subject} was started {counted} times of {limit}")
        last = before[-1].entry
        if isinstance(last, Queued) and last.not_before is not None:
            self.demand(new.at >= last.not_before, f"{new.subject} started before its time")

    def _used_up(self, before: list[Stored], new: Stored) -> None:
        counted = sum(isinstance(s.entry, Started) for s in before) - sum(s.act == "drain" for s in before)
        limit = self.world.task(new.subject).max_attempts
        self.demand(counted == limit, f"{new.subject} was buried after {counted} of {limit} attempts")

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
        for subject, entries in world.log.subjects.items():
            ends = sum(isinstance(stored.entry, TERMINAL) for stored in entries)
            self.demand(ends == 1, f"{subject} has {ends} ends")
