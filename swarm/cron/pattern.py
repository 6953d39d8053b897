"""What the NATS server is told, so that a cron expression comes when it is due. Pure.

The server's own cron takes six fields and its own reading of them; what differs (7 for Sunday, ranges
to Sunday) is written out. Near a change of the clocks it leaves out or doubles times, and where that
change is at midnight whole days. An expression that this could touch is fired every hour instead, and
the coordinators drop the firings that are not due (`firing`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .spec import Cron, Every, Field, Spec

AHEAD_YEARS = 10
"""How far changes of the clocks are looked for."""
UTC_NAME = "UTC"


@dataclass(frozen=True, slots=True)
class Pattern:
    """The two headers of a schedule."""

    schedule: str
    zone: str | None
    """None: UTC."""
    thinned: bool = False
    """It fires more often than it is due."""


def pattern_of(spec: Spec, zone: ZoneInfo, now: float) -> Pattern:
    """Return the pattern of an expression in a time zone from a time on (seconds since the epoch)."""
    if isinstance(spec, Every):
        return Pattern(f"@every {spec.interval.total_seconds():g}s", None)
    name = None if zone.key == UTC_NAME else zone.key
    changes = changes_of(zone, now)
    if touched(spec, changes):
        shifts = {0, *(change.minutes % 60 for change in changes)}
        minutes = sorted({(minute + shift) % 60 for minute in spec.minutes.values for shift in shifts})
        return Pattern(f"0 {_join(minutes)} * * * *", name, thinned=True)
    fields = (spec.minutes, spec.hours, spec.days, spec.months, spec.weekdays)
    return Pattern(" ".join(("0", *map(_text, fields))), name)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the clocks."""

    minutes: int
    """By how much they are put forward; below zero: back."""
    hours: frozenset[int]
    """The hours on the wall that come twice, or not."""


def changes_of(zone: ZoneInfo, now: float) -> frozenset[Change]:
    """Return the kinds of change of the clocks in the years ahead."""
    found = set()
    start = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
    before = _offset(zone, start)
    for number in range(1, AHEAD_YEARS * 366):
        day = start + timedelta(days=number)
        after = _offset(zone, day)
        if after != before:
            found.add(_change(zone, day - timedelta(days=1), day, before))
        before = after
    return frozenset(found)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _change(zone: ZoneInfo, early: datetime, late: datetime, before: timedelta) -> Change:
    """Return the change between two moments, the earlier of which has the offset `before`."""
    while late - early > timedelta(minutes=1):
        middle = early + (late - early) / 2
        if _offset(zone, middle) == before:
            early = middle
        else:
            late = middle
    late = (late + timedelta(seconds=30)).replace(second=0, microsecond=0)
    shift = _offset(zone, late) - before
    wall = late.replace(tzinfo=None) + before
    first, last = min(wall, wall + shift), max(wall, wall + shift)
    hours = set()
    while first < last or first.hour not in hours:
        hours.add(first.hour)
        first += timedelta(minutes=30)
    return Change(int(shift.total_seconds() // 60), frozenset(hours | {last.hour}))


def touched(cron: Cron, changes: frozenset[Change]) -> bool:
    """Return whether the server could miss or double a time at one of the changes."""
    if cron.every_hour and cron.days.star and cron.months.star and cron.weekdays.star:
        return False
    return any(
        # It finds its way to a day by midnights, and to an hour by whole hours.
        change.hours & {23, 0} or change.minutes % 60 or change.hours & set(cron.hours.values)
        for change in changes
    )


def _text(field: Field) -> str:
    return "*" if field.star else _join(field.values)


def _join(values: "list[int] | tuple[int, ...]") -> str:
    return ",".join(map(str, values))
