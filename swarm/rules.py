"""The rules of the task log (DESIGN.md section 3): who may write what next. Pure.

Delivery proves nothing; the log does. A worker asks `on_delivery` what to do with a queue message,
`on_failure` how a failed attempt goes on; an owner asks `on_lost_holder`. Each answer is one append
with the sequence it expects, or a step that needs no append.
"""

from dataclasses import dataclass
from datetime import timedelta

from .fold import TaskHead
from .records import Delivery

NO_EVIDENCE_DELAY = timedelta(seconds=1)
"""How long a redelivery waits while nothing proves that the holder is gone."""
LONGEST_NAK = timedelta(seconds=60)
"""Back-offs beyond this leave the queue for a server-side schedule."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Start:
    """Append `started` expecting `expected`; run the job only if that wins."""

    expected: int
    attempt: int
    excused: int


@dataclass(frozen=True, slots=True)
class Bury:
    """Append `dead` expecting `expected`: the next attempt would pass the limit."""

    expected: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Requeue:
    """Append `queued` with the next attempt, expecting `expected`."""

    expected: int
    attempt: int
    excused: int


@dataclass(frozen=True, slots=True)
class Postpone:
    """Hand the message back with a delay; write nothing."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Drop:
    """Ack and forget: the task has ended or is gone."""


@dataclass(frozen=True, slots=True)
class Zombie:
    """A newer delivery holds the task: stop any job of it; never ack, nak or extend."""


@dataclass(frozen=True, slots=True)
class HolderEvidence:
    """What an observer knows of the run that the log names as holder."""

    run_dead: bool = False
    """The run is dead, or a newer run bears its name."""
    beat_without_task: int | None = None
    """Number of the latest heartbeat of that run that does not list the task."""
    may_declare: bool = False
    """This observer may declare others dead or lost (see `liveness`)."""
    mine: bool = False
    """The holder is this very run."""
    in_my_jobs: bool = False
    """This run's own job table holds the task."""


def spent(attempt: int, excused: int) -> int:
    """Return how many attempts count against the limit once `attempt` has begun."""
    return attempt - excused


def holder_is_gone(head: TaskHead, evidence: HolderEvidence) -> bool:
    """Return whether the log's holder surely no longer runs the task.

    Of itself a run asks its job table; of others, only an observer that may declare somebody dead
    judges, by the run's death or a heartbeat after its `started` that does not list the task.
    """
    if evidence.mine:
        return not evidence.in_my_jobs
    if not evidence.may_declare:
        return False
    if evidence.run_dead:
        return True
    return evidence.beat_without_task is not None and evidence.beat_without_task > head.beat


def on_delivery(
    head: TaskHead, delivery: Delivery, evidence: HolderEvidence, *, max_attempts: int, now: float
) -> Start | Bury | Postpone | Drop | Zombie:
    """Decide on a redelivery, or on a first delivery whose append was refused.

    `now` is server time. `head` was read from the stream's leader.
    """
    if head.seq == 0 or head.terminal:
        return Drop()
    if head.state == "queued":
        if head.not_before is not None and head.not_before > now:
            return Postpone(timedelta(seconds=head.not_before - now))
        return Start(head.seq, head.attempt, head.excused)
    if head.state == "planned" or head.delivery is None:
        # The log holds messages of this task, but none that is an entry: its owner will write one.
        return Postpone(NO_EVIDENCE_DELAY)
    if not delivery.newer_than(head.delivery):
        return Zombie()
    if not holder_is_gone(head, evidence):
        return Postpone(NO_EVIDENCE_DELAY)
    if spent(head.attempt + 1, head.excused) > _limit(head, max_attempts):
        return Bury(head.seq, head.attempt)
    return Start(head.seq, head.attempt + 1, head.excused)


def on_failure(head: TaskHead, *, max_attempts: int, drained: bool = False) -> Requeue | Bury:
    """Decide how a holder's own attempt goes on after a retryable error, or when it is drained."""
    return _next_attempt(head, max_attempts=max_attempts, excuse=drained)


def on_lost_holder(head: TaskHead, evidence: HolderEvidence, *, max_attempts: int) -> Requeue | Bury | None:
    """Decide for the request's owner whether to take a running task from its holder."""
    if head.state != "running" or not holder_is_gone(head, evidence):
        return None
    return _next_attempt(head, max_attempts=max_attempts, excuse=False)


def _limit(head: TaskHead, max_attempts: int) -> int:
    """Return how many attempts count: what the holder wrote down goes before what the plan says."""
    return max_attempts if head.limit is None else head.limit


def _next_attempt(head: TaskHead, *, max_attempts: int, excuse: bool) -> Requeue | Bury:
    excused = head.excused + excuse
    if spent(head.attempt + 1, excused) > _limit(head, max_attempts):
        return Bury(head.seq, head.attempt)
    return Requeue(head.seq, head.attempt + 1, excused)


def needs_queue_message(head: TaskHead, evidence: HolderEvidence, *, now: float) -> bool:
    """Return whether a task must have its message in the work queue (DESIGN.md section 2).

    That is each queued task whose time has come, and each running one whose holder is gone. To
    publish once more is harmless: the queue refuses a second copy.
    """
    if head.state == "queued":
        return head.not_before is None or head.not_before <= now
    return head.state == "running" and holder_is_gone(head, evidence)


def backoff(attempt: int, *, first: timedelta = FIRST_PAUSE, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """Return the pause before the next attempt after `attempt` (from 1) failed: doubling, capped."""
    return min(first * (1 << min(attempt - 1, 30)), longest)
