"""What is typed as `--cron`: five fields, `@daily` and its like, or `@every 5m`. Pure."""

import re
from dataclasses import dataclass
from datetime import timedelta

from ...config.durations import parse_duration
from ...errors import ConfigError, UsageError

SHORTEST = timedelta(seconds=1)
"""The server's own limit for `@every`."""

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTH_LENGTHS = dict.fromkeys(range(1, 13), 31) | {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_SHAPE = 'write five fields, such as "0 9 * * mon-fri" (minute, hour, day of the month, month, weekday)'


@dataclass(frozen=True, slots=True)
class Field:
    """The values that one field takes."""

    values: tuple[int, ...]
    """In order."""
    star: bool
    """It was `*`: whatever comes."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The wall-clock times of a five-field expression; weekdays count from Sunday, 0."""

    minutes: Field
    hours: Field
    days: Field
    months: Field
    weekdays: Field

    def takes(self, month: int, day: int, weekday: int) -> bool:
        """Return whether a date is one of its days: of two restricted day fields either one counts."""
        if month not in self.months.values:
            return False
        by_day, by_weekday = day in self.days.values, weekday in self.weekdays.values
        if self.days.star or self.weekdays.star:
            return by_day and by_weekday
        return by_day or by_weekday

    @property
    def every_hour(self) -> bool:
        """Whether it goes by the hour and not by the clock on the wall."""
        return len(self.hours.values) == 24

    @property
    def either_day(self) -> bool:
        """Whether both day fields are restricted, so that either one is enough."""
        return not (self.days.star or self.weekdays.star)


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed interval, counted from when it was set."""

    interval: timedelta


Spec = Cron | Every


@dataclass(frozen=True, slots=True)
class _Bounds:
    what: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    first: int = 0
    """The number of the first name."""


_MINUTE = _Bounds("minute", 0, 59)
_HOUR = _Bounds("hour", 0, 23)
_DAY = _Bounds("day of the month", 1, 31)
_MONTH = _Bounds("month", 1, 12, _MONTHS, 1)
_WEEKDAY = _Bounds("weekday", 0, 7, _WEEKDAYS)
"""7 is Sunday too, as everywhere but in the server."""


def parse_spec(text: str) -> Spec:
    """Return what an expression means; raises UsageError for what is none, or never comes."""
    words = text.split()
    if not words:
        raise UsageError(f"the times are empty: {_SHAPE}")
    if words[0].lower() == "@every":
        return _every(" ".join(words[1:]))
    if words[0].startswith("@"):
        named = _NAMED.get(text.strip().lower())
        if named is None:
            raise UsageError(f"{text.strip()[:40]!r} is none of {', '.join(_NAMED)} and @every 5m")
        words = named.split()
    if len(words) != 5:
        seconds = "; it has no field for seconds (@every 10s counts them)" if len(words) == 6 else ""
        raise UsageError(
            f"{text.strip()[:80]!r} has {len(words)} field{'s' if len(words) != 1 else ''}: {_SHAPE}{seconds}"
        )
    minutes, hours, days, months, weekdays = (
        _field(word.lower(), bounds)
        for word, bounds in zip(words, (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY), strict=True)
    )
    _check_days(words[2], days, words[4], weekdays)
    cron = Cron(minutes, hours, days, months, weekdays)
    if weekdays.star and all(day > _MONTH_LENGTHS[month] for day in days.values for month in months.values):
        raise UsageError(f"{text.strip()[:80]!r} never comes: none of its months has such a day")
    return cron


def _every(text: str) -> Every:
    try:
        interval = parse_duration(text)
    except ConfigError as error:
        raise UsageError(f"@every: {error}") from None
    if interval < SHORTEST:
        raise UsageError(f"@every {text}: the shortest interval is 1s")
    return Every(interval)


def _check_days(day: str, days: Field, weekday: str, weekdays: Field) -> None:
    """Refuse the one pair of day fields that programs read differently: some take both, some either."""
    stepped = [word for word, field in ((day, days), (weekday, weekdays)) if "*/" in word and not field.star]
    if stepped and not (days.star or weekdays.star):
        raise UsageError(
            f"day of the month {day!r} and weekday {weekday!r}: where one of them is a step of * programs "
            "differ on whether both must fit or either; write its days out, or make two schedules"
        )


def _field(text: str, bounds: _Bounds) -> Field:
    values: set[int] = set()
    star = False
    for part in text.split(","):
        whole, found = _part(part, bounds)
        star = star or whole
        values |= found
    if bounds is _WEEKDAY:
        values = {value % 7 for value in values}
    return Field(tuple(sorted(values)), star)


def _part(part: str, bounds: _Bounds) -> tuple[bool, set[int]]:
    """Return whether a part of a list is `*`, and its values."""
    span, slash, step_text = part.partition("/")
    step = _step(step_text, part, bounds) if slash else 1
    if span == "*" or (span == "?" and bounds in (_DAY, _WEEKDAY)):
        most = 6 if bounds is _WEEKDAY else bounds.most
        return step == 1, set(range(bounds.least, most + 1, step))
    low_text, dash, high_text = span.partition("-")
    low = _value(low_text, part, bounds)
    if dash:
        high = _value(high_text, part, bounds)
    else:
        high = (6 if bounds is _WEEKDAY else bounds.most) if slash else low
    if bounds is _WEEKDAY and dash and high == 0 and low > 0:
        high = 7  # fri-sun
    if low > high:
        raise UsageError(f"{bounds.what} {part!r} goes backwards: write two ranges with a comma")
    return False, set(range(low, high + 1, step))


def _step(text: str, part: str, bounds: _Bounds) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) == 0:
        raise UsageError(f"{bounds.what} {part!r}: the step after / is a number above 0")
    return int(text)


def _value(text: str, part: str, bounds: _Bounds) -> int:
    if text in bounds.names:
        return bounds.names.index(text) + bounds.first
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise UsageError(f"{bounds.what} {part!r} is not understood: {_takes(text, bounds)}")
    if not bounds.least <= int(text) <= bounds.most:
        raise UsageError(
            f"{bounds.what} {part!r} is out of range: it goes from {bounds.least} to {bounds.most}"
        )
    return int(text)


def _takes(text: str, bounds: _Bounds) -> str:
    if bounds in (_DAY, _WEEKDAY) and re.search(r"[lw#]", text):
        return "L, W and # (the last day, the nearest weekday, the nth weekday) are not to be had"
    names = f" or {bounds.names[0]} to {bounds.names[-1]}" if bounds.names else ""
    return f"it takes {bounds.least} to {bounds.most}{names}, lists, ranges and steps"
