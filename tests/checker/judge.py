"""Judge: whether one more entry of a log may follow those before it (DESIGN.md section 3)."""

from collections.abc import Iterator, Sequence

from picoclaw.swarm.entries import (
    Accepted,
    Cancelled,
    Cancelling,
    Dead,
    Done,
    Failed,
    Owner,
    Planned,
    Queued,
    Started,
)
from picoclaw.swarm.fold import TaskHead, fold_task
from picoclaw.swarm.records import Request, Task
from picoclaw.swarm.rules import spent
from picoclaw.swarm.subjects import REQUEST_STEP

from .history import Violation, Written

EARLY = 0.25
"""Seconds by which a node's knowledge of the server's time may be wrong."""


def judge(
    before: Sequence[Written],
    new: Written,
    *,
    task: Task | None = None,
    request: Request | None = None,
    early: float = EARLY,
) -> Iterator[Violation]:
    """Yield what is wrong with an entry, given all that stood on its subject before.

    `task` is what the plan says of it, and `request` its request, where they are known.
    """
    if before and any(written.ends for written in before):
        rule = "second end" if new.ends else "entry after the end"
        yield Violation(
            rule, f"{new.name} has {new.entry.kind} by {new.entry.by or 'somebody'} after its end"
        )
    elif new.step == REQUEST_STEP:
        yield from _judge_request(before, new)
    else:
        yield from _judge_task(before, new, task, request, early)


# --- tasks ---


def _judge_task(
    before: Sequence[Written], new: Written, task: Task | None, request: Request | None, early: float
) -> Iterator[Violation]:
    last = before[-1].entry if before else None
    if (origin := _carried(new)) is not None:
        if before:
            yield Violation("stale write", f"{new.name} is carried from {origin}, and had begun")
        yield from _says_why(new)
        return
    match new.entry:
        case Queued() as entry:
            yield from _judge_queued(last, new, entry)
        case Started() as entry:
            yield from _judge_started(before, new, entry, early)
            limit = _limit(before, task, request)
            if limit is not None and spent(entry.attempt, entry.excused) > limit:
                yield Violation(
                    "too many attempts", f"{new.name} was started as attempt {entry.attempt} of {limit}"
                )
        case Done() as entry:
            if not isinstance(last, Started):
                yield Violation("stale write", f"{new.name} is done by {entry.node}, while nobody held it")
            elif (entry.run, entry.attempt) != (last.run, last.attempt):
                yield Violation(
                    "stale write",
                    f"{new.name} is done by {entry.node} as attempt {entry.attempt}, "
                    f"while {last.node} held it as attempt {last.attempt}",
                )
        case Failed(reason="error") as entry:
            if not isinstance(last, Started) or (entry.node or entry.by, entry.attempt) != (
                last.node,
                last.attempt,
            ):
                yield Violation(
                    "stale write", f"{new.name} failed by {entry.node or entry.by}, who did not hold it"
                )
        case Dead() as entry:
            yield from _judge_dead(before, new, entry, task, request)
        case Failed() | Cancelled():
            pass
        case _:
            yield Violation("foreign entry", f"{new.name} is a task, and has {new.entry.kind}")
    if new.ends:
        yield from _says_why(new)


def _carried(new: Written) -> str | None:
    """Return the request in which a task ended, where it did not run again."""
    return new.entry.carried if isinstance(new.entry, Done | Failed | Cancelled | Dead) else None


def _judge_queued(last: object, new: Written, entry: Queued) -> Iterator[Violation]:
    match last:
        case Started():
            if entry.attempt != last.attempt + 1:
                yield Violation(
                    "attempts unexplained",
                    f"{new.name} was queued as attempt {entry.attempt} after attempt {last.attempt}",
                )
            if not entry.reason:
                yield Violation(
                    "attempts unexplained",
                    f"{new.name} was queued again as attempt {entry.attempt} without a reason",
                )
            if not last.excused <= entry.excused <= last.excused + 1:
                yield Violation("attempts unexplained", f"{new.name} was excused {entry.excused} attempts")
        case Queued():
            if entry.attempt != last.attempt or entry.excused != last.excused:
                yield Violation(
                    "attempts unexplained",
                    f"{new.name} went from attempt {last.attempt} to {entry.attempt} without a start",
                )
        case None:
            if entry.attempt != 1 or entry.excused:
                yield Violation(
                    "attempts unexplained", f"{new.name} was first queued as attempt {entry.attempt}"
                )


def _judge_started(
    before: Sequence[Written], new: Written, entry: Started, early: float
) -> Iterator[Violation]:
    last = before[-1].entry if before else None
    taken = [written.entry.attempt for written in before if isinstance(written.entry, Started)]
    if entry.attempt in taken:
        yield Violation("attempt started twice", f"{new.name} was started twice as attempt {entry.attempt}")
        return
    match last:
        case Queued():
            expected = last.attempt
            if last.not_before is not None and new.at < last.not_before - early:
                yield Violation(
                    "too early",
                    f"{new.name} was started {last.not_before - new.at:.3f} s before its time",
                )
        case Started():
            expected = last.attempt + 1
            if not entry.delivery.newer_than(last.delivery):
                yield Violation(
                    "stale write", f"{entry.node} took {new.name} from {last.node} by an older delivery"
                )
        case _:
            yield Violation("never queued", f"{new.name} was started by {entry.node} and never queued")
            return
    if entry.attempt != expected:
        yield Violation(
            "attempts unexplained",
            f"{new.name} was started as attempt {entry.attempt}, where {expected} was due",
        )


def _judge_dead(
    before: Sequence[Written], new: Written, entry: Dead, task: Task | None, request: Request | None
) -> Iterator[Violation]:
    starts = [written.entry for written in before if isinstance(written.entry, Started)]
    if not starts:
        yield Violation("buried too early", f"{new.name} is dead and was never started")
        return
    if entry.attempt != starts[-1].attempt:
        yield Violation(
            "attempts unexplained",
            f"{new.name} is dead after attempt {entry.attempt}, not {starts[-1].attempt}",
        )
    limit = _limit(before, task, request)
    counted = len(starts) - starts[-1].excused
    if limit is not None and counted < limit:
        yield Violation("buried too early", f"{new.name} was buried after {counted} of {limit} attempts")


def _limit(before: Sequence[Written], task: Task | None, request: Request | None) -> int | None:
    """Return how many attempts a task may have after what stands there; None where that is not known.

    What the request names goes before what the plan names, and that before what the definition of the
    capability says on the node that held it last (`Started.limit`).
    """
    if task is None:
        return None
    named = (
        request.max_attempts if request is not None else None,
        request.retry.attempts if request is not None and request.retry is not None else None,
        task.retry.attempts if task.retry is not None else None,
    )
    for attempts in named:
        if attempts is not None:
            return attempts
    held = [written.entry for written in before if isinstance(written.entry, Started)]
    return task.max_attempts if not held or held[-1].limit is None else held[-1].limit


def _says_why(new: Written) -> Iterator[Violation]:
    reason = fold_task(TaskHead(), new.entry, 1, 0.0).reason
    if not isinstance(new.entry, Done) and not reason.strip():
        yield Violation("no reason", f"{new.name} ended {new.entry.kind} and does not say why")


# --- requests ---


def _judge_request(before: Sequence[Written], new: Written) -> Iterator[Violation]:
    accepted = any(isinstance(written.entry, Accepted) for written in before)
    owner, run = _owner(before)
    match new.entry:
        case Accepted():
            if accepted:
                yield Violation("accepted twice", f"{new.name} was accepted again by {new.entry.owner}")
        case Owner():
            if not accepted:
                yield Violation("never accepted", f"{new.name} got the owner {new.entry.owner}")
        case Planned() as entry:
            made = sum(isinstance(written.entry, Planned) for written in before)
            if made and entry.revision != made + 1:
                yield Violation("planned twice", f"{new.name} was planned again by {entry.owner}")
            if not made and entry.revision is not None:
                yield Violation("never planned", f"{new.name} has a later plan, and no first one")
            if entry.run != run:
                yield Violation("stale write", f"{entry.owner} planned {new.name}, which {owner} owns")
        case Done() as entry:
            if entry.run != run:
                yield Violation("stale write", f"{entry.node} ended {new.name}, which {owner} owns")
        case Failed() as entry:
            if accepted and entry.by != owner:
                yield Violation("stale write", f"{entry.by} ended {new.name}, which {owner} owns")
        case Cancelled() as entry:
            if accepted and entry.by != owner:
                yield Violation("stale write", f"{entry.by} cancelled {new.name}, which {owner} owns")
        case Cancelling():
            pass
        case _:
            yield Violation("foreign entry", f"{new.name} is a request, and has {new.entry.kind}")
    if new.ends:
        yield from _says_why(new)


def _owner(before: Sequence[Written]) -> tuple[str, str]:
    """Return the node and the run that own a request."""
    for written in reversed(before):
        if isinstance(written.entry, Accepted | Owner):
            return written.entry.owner, written.entry.run
    return "", ""
