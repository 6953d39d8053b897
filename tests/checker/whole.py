"""The whole: every entry by its own subject's rules, then what holds between subjects, queues and jobs."""

from collections.abc import Iterator, Mapping, Sequence

from picoclaw.swarm.entries import Accepted, Planned
from picoclaw.swarm.records import Plan
from picoclaw.swarm.subjects import REQUEST_STEP

from .history import History, Violation, Written
from .jobs import judge_jobs
from .judge import EARLY, judge

Subjects = Mapping[tuple[str, str], Sequence[Written]]


def check(history: History, *, quiescent: bool = True, early: float = EARLY) -> list[Violation]:
    """Return what does not hold; `quiescent`: everything was given time to end, so it must have."""
    subjects, plans = history.subjects(), plans_of(history)
    found = [
        *_each_entry(history, subjects, plans, early),
        *_requests_and_tasks(subjects, plans),
        *judge_jobs(history),
        *_queues(history, subjects, quiescent),
    ]
    if quiescent:
        found += _ended(history, subjects, plans)
    return found


def plans_of(history: History) -> dict[str, Plan]:
    """Return the plan of each request that has one."""
    plans = dict(history.plans)
    for written in history.log:
        if isinstance(written.entry, Planned) and written.entry.plan is not None:
            if written.entry.revision is not None:
                plans[written.request] = written.entry.plan
            plans.setdefault(written.request, written.entry.plan)
    return plans


def _each_entry(
    history: History, subjects: Subjects, plans: Mapping[str, Plan], early: float
) -> Iterator[Violation]:
    tasks = {(request, task.step): task for request, plan in plans.items() for task in plan.tasks}
    requests = {
        written.request: written.entry.request
        for written in history.log
        if isinstance(written.entry, Accepted)
    }
    for (request, step), entries in subjects.items():
        for place, written in enumerate(entries):
            yield from judge(
                entries[:place],
                written,
                task=tasks.get((request, step)),
                request=requests.get(request),
                early=early,
            )


def _requests_and_tasks(subjects: Subjects, plans: Mapping[str, Plan]) -> Iterator[Violation]:
    """A task comes after its plan, and a request ends after its tasks."""
    for (request, step), entries in subjects.items():
        own = subjects.get((request, REQUEST_STEP), ())
        if step != REQUEST_STEP:
            if not own:
                yield Violation("task without a request", f"{entries[0].name}: {request} was never accepted")
            elif request in plans and step not in {task.step for task in plans[request].tasks}:
                yield Violation("unplanned task", f"{entries[0].name} stands in no plan")
            continue
        end = next((written for written in entries if written.ends), None)
        if end is None:
            continue
        for task in tasks_of(request, subjects, plans):
            done = next((written for written in subjects.get((request, task), ()) if written.ends), None)
            if done is None or done.seq > end.seq:
                yield Violation("ended before its tasks", f"{request} ended {end.entry.kind} before {task}")


def tasks_of(request: str, subjects: Subjects, plans: Mapping[str, Plan]) -> list[str]:
    """Return the steps of a request, planned or only begun."""
    planned = [task.step for task in plans[request].tasks] if request in plans else []
    begun = [step for name, step in subjects if name == request and step != REQUEST_STEP]
    return list(dict.fromkeys([*planned, *begun]))


def _ended(history: History, subjects: Subjects, plans: Mapping[str, Plan]) -> Iterator[Violation]:
    for request in history.handed_in:
        if (request, REQUEST_STEP) not in subjects:
            yield Violation("lost request", f"{request} was handed in, and the log does not know it")
    for (request, step), entries in subjects.items():
        if step != REQUEST_STEP:
            continue
        if not any(written.ends for written in entries):
            yield Violation(
                "lost request", f"{request} never ended: its last entry is {entries[-1].entry.kind}"
            )
        for task in tasks_of(request, subjects, plans):
            log = subjects.get((request, task), ())
            if not any(written.ends for written in log):
                last = f"its last entry is {log[-1].entry.kind}" if log else "it was only planned"
                yield Violation("lost task", f"{request}.{task} never ended: {last}")


def _queues(history: History, subjects: Subjects, quiescent: bool) -> Iterator[Violation]:
    for left in history.leftovers:
        name = left.request if left.step == REQUEST_STEP else f"{left.request}.{left.step}"
        entries = subjects.get((left.request, left.step), ())
        if left.queue == "TASKS" and not entries:
            yield Violation("message without an entry", f"{name} stands in TASKS, and not in the log")
        elif quiescent:
            yield Violation("left in the queue", f"{name} still stands in {left.queue}")
