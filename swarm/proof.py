"""Proof: what the log of some requests says of the promises, and how it would show that one was broken. Pure.

It needs nothing but the log, and where there is one, the jobs' own record of what they did.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .entries import Accepted, Cancelled, Dead, Done, Entry, Failed, Queued, Started
from .subjects import REQUEST_STEP, task_id

_ENDS = (Done, Failed, Cancelled, Dead)
SUPERSEDED = "a later delivery took it from a holder that was gone"


@dataclass(frozen=True, slots=True)
class Written:
    """One message of a request's log."""

    step: str
    """`_` for the request itself."""
    seq: int
    entry: Entry | None
    """None: it is no entry."""


@dataclass(frozen=True, slots=True)
class History:
    """One request: its plan's steps, none where it was never planned, and all of its log in order."""

    request: str
    steps: tuple[str, ...]
    log: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What the job of one task wrote down of itself: how often it began, and came to its end."""

    begun: int = 0
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """Requests or tasks: what was accepted, and what became of it."""

    accepted: int = 0
    finished: int = 0
    """Those with just one end, or more."""
    doubled: int = 0
    """Those with more than one end."""
    lost: int = 0
    """Those without any."""

    @property
    def holds(self) -> bool:
        return self.finished == self.accepted and not self.doubled and not self.lost


@dataclass(frozen=True, slots=True)
class Proof:
    """What the log says."""

    requests: Count
    tasks: Count
    states: Mapping[str, int]
    """How the tasks ended, and how many of each."""
    attempts: int
    """Attempts that began, of all tasks."""
    again: Mapping[str, int]
    """Why there were further attempts, and how many for each reason."""
    effects: Effect | None
    """What the jobs say themselves, of all tasks; None where nothing was said."""
    broken: tuple[str, ...] = field(default=())
    """Every promise that the log shows broken, in words."""

    @property
    def holds(self) -> bool:
        return self.requests.holds and self.tasks.holds and not self.broken


def prove(histories: Sequence[History], effects: Mapping[str, Effect] | None = None) -> Proof:
    """Return what the logs of some requests prove; `effects` by task id, where the jobs kept a record.

    Each accepted request and planned task must have exactly one end, a request's after all of its
    tasks'; each further attempt its reason; each result the run that held the task; and no job may
    have run oftener than the log gave leave.
    """
    requests, tasks = Counter[str](), Counter[str]()
    states, again, broken = Counter[str](), Counter[str](), list[str]()
    attempts, begun, ended = 0, 0, 0
    for history in histories:
        by_step: dict[str, list[Written]] = {step: [] for step in (REQUEST_STEP, *history.steps)}
        for written in history.log:
            if written.entry is None:
                broken.append(f"{task_id(history.request, written.step)}: message {written.seq} is no entry")
            elif written.step not in by_step:
                broken.append(f"{task_id(history.request, written.step)}: it is in no plan")
            else:
                by_step[written.step].append(written)
        own = by_step.pop(REQUEST_STEP)
        if any(isinstance(written.entry, Accepted) for written in own):
            _count(requests, _ends(own))
            broken += _early_end(history.request, own, by_step)
        elif own or history.log:
            broken.append(f"{history.request}: its log does not begin with `accepted`")
        for step, entries in by_step.items():
            name, ends = task_id(history.request, step), _ends(entries)
            _count(tasks, ends)
            states[ends[0].entry.kind if ends and ends[0].entry else "open"] += 1
            started = [written.entry for written in entries if isinstance(written.entry, Started)]
            attempts += len(started)
            broken += _attempts(name, entries, again)
            if effects is not None:
                effect = effects.get(name, Effect())
                begun, ended = begun + effect.begun, ended + effect.ended
                broken += _effect(
                    name, effect, len(started), done=any(isinstance(e.entry, Done) for e in ends)
                )
    for name in sorted(
        set(effects or ()) - {task_id(h.request, step) for h in histories for step in h.steps}
    ):
        broken.append(f"{name}: its job ran, and no log knows of it")
    return Proof(
        requests=_counted(requests),
        tasks=_counted(tasks),
        states=dict(sorted(states.items())),
        attempts=attempts,
        again=dict(sorted(again.items())),
        effects=Effect(begun, ended) if effects is not None else None,
        broken=tuple(broken),
    )


def _ends(entries: Iterable[Written]) -> list[Written]:
    return [written for written in entries if isinstance(written.entry, _ENDS)]


def _count(counter: Counter[str], ends: Sequence[Written]) -> None:
    counter["accepted"] += 1
    counter["finished"] += bool(ends)
    counter["doubled"] += len(ends) > 1
    counter["lost"] += not ends


def _counted(counter: Counter[str]) -> Count:
    return Count(counter["accepted"], counter["finished"], counter["doubled"], counter["lost"])


def _early_end(request: str, own: Sequence[Written], by_step: Mapping[str, Sequence[Written]]) -> list[str]:
    """A request ends after all of its tasks."""
    end = next(iter(_ends(own)), None)
    if end is None:
        return []
    late = [step for step, entries in by_step.items() if any(e.seq > end.seq for e in _ends(entries))]
    return [f"{request}: it ended before its task {late[0]} did"] if late else []


def _attempts(name: str, entries: Sequence[Written], again: Counter[str]) -> list[str]:
    """Each attempt has its own number and, after the first, a reason; only who holds a task ends it done."""
    broken: list[str] = []
    holder: Started | None = None
    queued: Queued | None = None
    for written in entries:
        match written.entry:
            case Queued() as entry:
                queued, holder = entry, None
            case Started() as entry:
                reason = ""
                if holder is not None:
                    reason = SUPERSEDED if entry.attempt == holder.attempt + 1 else ""
                elif queued is not None and queued.attempt == entry.attempt:
                    reason = queued.reason
                if not reason:
                    broken.append(f"{name}: attempt {entry.attempt} began without a reason")
                elif entry.attempt > 1:
                    again[reason] += 1
                holder = entry
            case Done() as entry if entry.carried is None:
                if holder is None or (holder.run, holder.attempt) != (entry.run, entry.attempt):
                    broken.append(f"{name}: {entry.node} ended it without holding it")
            case _:
                pass
    return broken


def _effect(name: str, effect: Effect, started: int, *, done: bool) -> list[str]:
    broken = []
    if effect.begun > started:
        broken.append(f"{name}: its job began {effect.begun} times, and the log gave leave for {started}")
    if done and not effect.ended:
        broken.append(f"{name}: it is done, and its job never came to its end")
    if effect.ended > effect.begun:
        broken.append(f"{name}: its job ended {effect.ended} times, and began {effect.begun}")
    return broken
