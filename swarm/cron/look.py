"""Recurring requests as people see them: when they come next, and what became of the last ones."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ...config.zones import zone_of
from ...errors import UsageError
from ..entries import Accepted
from ..fold import RequestHead, fold_request
from ..follow import Followed
from ..log import decode, scan
from ..records import Firing
from ..subjects import REQUEST_STEP, split_log_subject
from ..swarm import Swarm
from .record import Schedule
from .spec import Every, parse_spec
from .store import Standing
from .times import due_after


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringRow:
    """One firing, and the request that it made."""

    request: str
    at: float
    """Server time of the firing, seconds since the epoch."""
    state: str
    partial: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """One line of `cron list`."""

    schedule: Schedule
    next_at: float | None
    """Server time; None while it is disabled, or when nothing more comes."""
    firings: tuple[FiringRow, ...] = ()
    """Those whose requests are still in the log, latest first."""

    @property
    def last(self) -> FiringRow | None:
        return self.firings[0] if self.firings else None


async def schedule_rows(swarm: Swarm, standing: Iterable[Standing], now: float) -> list[ScheduleRow]:
    """Return the rows of schedules, with what their firings made, as far as the log still has it."""
    firings = await _firings(swarm)
    return [
        ScheduleRow(
            schedule=one.schedule, next_at=next_firing(one, now), firings=firings.get(one.schedule.name, ())
        )
        for one in standing
    ]


def next_firing(standing: Standing, now: float) -> float | None:
    """Return when a schedule comes next; of an interval about when."""
    if not standing.schedule.enabled:
        return None
    return next(iter(next_firings(standing.schedule, now, since=standing.at)), None)


def next_firings(schedule: Schedule, now: float, *, since: float, number: int = 1) -> list[float]:
    """Return the next times of a schedule that was set at `since`."""
    try:
        spec, zone = parse_spec(schedule.spec), zone_of(schedule.zone)
    except UsageError:
        return []  # another version's, or of a zone that this machine does not know
    if isinstance(spec, Every):
        step, start = spec.interval.total_seconds(), round(since)
        first = math.floor((now - start) / step) + 1
        return [start + (first + count) * step for count in range(number)]
    found: list[float] = []
    while len(found) < number and (due := due_after(spec, zone, found[-1] if found else now)) is not None:
        found.append(due)
    return found


async def _firings(swarm: Swarm) -> dict[str, tuple[FiringRow, ...]]:
    heads: dict[str, RequestHead] = defaultdict(RequestHead)
    fired: dict[str, Firing] = {}

    def take(followed: Followed) -> None:
        request, entry = split_log_subject(followed.subject)[0], decode(followed)
        heads[request] = fold_request(heads[request], entry, followed.seq, followed.at)
        if isinstance(entry, Accepted) and entry.request.firing is not None:
            fired[request] = entry.request.firing

    # One after the other: together the entries of all requests are far too much for the memory.
    await scan(swarm.wire, swarm.names.log, swarm.names.log_of("*", REQUEST_STEP), take, deliver="all")
    rows: dict[str, list[FiringRow]] = defaultdict(list)
    for request, firing in fired.items():
        head = heads[request]
        rows[firing.schedule].append(
            FiringRow(
                request=request, at=firing.at, state=head.state, partial=head.partial, reason=head.reason
            )
        )
    return {name: tuple(sorted(found, key=lambda row: row.at, reverse=True)) for name, found in rows.items()}
