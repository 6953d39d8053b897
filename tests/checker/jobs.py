"""Jobs: slots, caps and attempts, by what the executions wrote down themselves."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from picoclaw.swarm.entries import Started

from .history import History, JobRecord, Violation


def judge_jobs(history: History) -> Iterator[Violation]:
    """Yield what is wrong with the executions."""
    yield from _explained(history)
    yield from _crowded(
        history, "slots exceeded", history.slots, lambda job: job.node, lambda job: job.beside
    )
    yield from _crowded(
        history, "cap exceeded", history.caps, lambda job: job.capability, lambda job: job.everywhere
    )


def _explained(history: History) -> Iterator[Violation]:
    """Every execution has a `started` of its own."""
    holders = {
        (written.name, written.entry.attempt): written.entry.node
        for written in history.log
        if isinstance(written.entry, Started)
    }
    seen: set[tuple[str, int]] = set()
    for job in history.jobs:
        key = job.task, job.attempt
        if key in seen:
            yield Violation("attempt ran twice", f"{job.task} ran more than once as attempt {job.attempt}")
        seen.add(key)
        if key not in holders:
            yield Violation(
                "run without an entry", f"{job.task} ran on {job.node} as attempt {job.attempt}, unrecorded"
            )
        elif holders[key] != job.node:
            yield Violation(
                "run without an entry",
                f"{job.task} ran on {job.node} as attempt {job.attempt}, which {holders[key]} holds",
            )


def _crowded(
    history: History,
    rule: str,
    limits: Mapping[str, int],
    place: Callable[[JobRecord], str],
    counted: Callable[[JobRecord], int | None],
) -> Iterator[Violation]:
    for name, limit in sorted(limits.items()):
        here = [job for job in history.jobs if place(job) == name]
        most = max([_overlap(here), *(1 + (counted(job) or 0) for job in here)], default=0)
        if most > limit:
            yield Violation(rule, f"{most} jobs lived at once on {name}, its limit is {limit}")


def _overlap(jobs: Iterable[JobRecord]) -> int:
    """Return the most jobs that lived at one moment, of those that came to their end."""
    changes = sorted(
        change for job in jobs if job.ended is not None for change in ((job.began, 1), (job.ended, -1))
    )
    most = living = 0
    for _, step in changes:
        living += step
        most = max(most, living)
    return most
