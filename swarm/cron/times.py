"""When a cron expression is due in a time zone. Pure.

Each time on the wall comes once a day: one that the change to summer time leaves out comes as much
later as the clock was put forward, one that comes twice counts the first time. What comes in every
hour goes by real time.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from .spec import Cron

HORIZON = timedelta(days=366 * 9)
"""A leap day is at most eight years away."""
_DAY = timedelta(days=1)


def due_after(cron: Cron, zone: ZoneInfo, after: float) -> float | None:
    """Return the first due time later than `after`, seconds since the epoch; None: there is none."""
    # The day before, too: what its change to summer time leaves out may come on this one.
    found_on = _date(after, zone) - _DAY
    best: float | None = None
    for day in _dates(cron, found_on, HORIZON, forward=True):
        if best is not None and day > found_on + _DAY:
            break
        later = [moment for moment in _moments(cron, zone, day) if moment > after]
        if later and (best is None or later[0] < best):
            best, found_on = later[0], day
    return best


def due_until(cron: Cron, zone: ZoneInfo, until: float) -> float | None:
    """Return the last due time not later than `until`; None: there was none in nine years."""
    found_on = _date(until, zone) + _DAY
    best: float | None = None
    for day in _dates(cron, found_on, HORIZON, forward=False):
        if best is not None and day < found_on - _DAY:
            break
        earlier = [moment for moment in _moments(cron, zone, day) if moment <= until]
        if earlier and (best is None or earlier[-1] > best):
            best, found_on = earlier[-1], day
    return best


def _date(at: float, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at, zone).date()


def _dates(cron: Cron, start: date, span: timedelta, *, forward: bool) -> Iterator[date]:
    """Yield the dates that it takes, from one on."""
    step = _DAY if forward else -_DAY
    for number in range(span.days):
        day = start + number * step
        if cron.takes(day.month, day.day, day.isoweekday() % 7):
            yield day


@lru_cache(maxsize=64)
def _moments(cron: Cron, zone: ZoneInfo, day: date) -> tuple[float, ...]:
    """Return the due times of one date, in order."""
    walls = (
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        for hour in cron.hours.values
        for minute in cron.minutes.values
    )
    if not cron.every_hour:
        # The first of two; one that is left out is read by the offset before the change.
        return tuple(sorted({wall.timestamp() for wall in walls}))
    # Two datetimes that differ in nothing but `fold` are equal: it is the moments that are told apart.
    both = (wall.replace(fold=fold) for wall in walls for fold in (0, 1))
    return tuple(sorted({wall.timestamp() for wall in both if _exists(wall)}))


def _exists(wall: datetime) -> bool:
    there = wall.astimezone(UTC).astimezone(wall.tzinfo)
    return there.replace(tzinfo=None) == wall.replace(tzinfo=None, fold=0)
