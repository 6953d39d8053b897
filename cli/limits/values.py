"""Limits as people type and read them: `cap.code=4`, `keep.requests=3d`, `size.log=2GiB`."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from ...config.durations import format_duration, parse_duration
from ...config.names import canonical_capability
from ...config.spelling import did_you_mean
from ...errors import ConfigError, NameRefused, UsageError
from ...swarm.limits.record import CAP, LARGEST, LIMITS, LONGEST, MOST, Limit, Value

_UNITS = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([a-z]{1,3})", re.ASCII | re.IGNORECASE)


def read_changes(pairs: Sequence[str]) -> dict[str, Value | None]:
    """Read `NAME=VALUE` as typed; raises UsageError that names every wrong one."""
    changes: dict[str, Value | None] = {}
    wrong = []
    for pair in pairs:
        try:
            name, value = _read_change(pair, changes)
        except (UsageError, NameRefused) as error:
            wrong.append(str(error))
        else:
            changes[name] = value
    if wrong:
        raise UsageError("; ".join(wrong) + "; nothing was changed")
    return changes


def _read_change(pair: str, before: Mapping[str, object]) -> tuple[str, Value]:
    name, separator, text = pair.partition("=")
    if not separator:
        raise UsageError(f"{pair[:60]!r} is not NAME=VALUE: write it as {pair[:60]}=…")
    name = read_name(name)
    if name in before:
        raise UsageError(f"{name} is given twice: keep one")
    return name, _read_value(name, text.strip())


def read_name(text: str) -> str:
    """Return a limit's name as it stands in the table; raises UsageError, NameRefused."""
    name = text.strip().lower()
    if name.startswith(CAP):
        return CAP + canonical_capability(name.removeprefix(CAP))
    if name not in LIMITS:
        hint = did_you_mean(name, LIMITS) or f"; there are cap.CAPABILITY, {', '.join(LIMITS)}"
        raise UsageError(f"{text.strip()[:60]!r} is no limit{hint}")
    return name


def _read_value(name: str, text: str) -> Value:
    if name.startswith(CAP):
        return _count(name, text, least=0)
    limit = LIMITS[name]
    if limit.kind == "count":
        return _count(name, text, least=int(limit.least))
    if limit.kind == "age":
        return _age(limit, text)
    if limit.kind in ("usd", "number"):
        return _amount(limit, text)
    return _size(limit, text)


def _count(name: str, text: str, *, least: int) -> int:
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or not least <= int(text) <= MOST:
        more = "; to have no limit: `picoclaw limits unset " + name + "`"
        raise UsageError(f"{name}={text}: give a whole number from {least} to {MOST}{more}")
    return int(text)


def _amount(limit: Limit, text: str) -> Value:
    pattern = r"\d{1,12}(\.\d{1,6})?" if limit.kind == "usd" else r"\d{1,15}"
    if not re.fullmatch(pattern, text, re.ASCII):
        what = "an amount, such as 2.50" if limit.kind == "usd" else "a whole number"
        raise UsageError(
            f"{limit.name}={text}: give {what}; to have no limit: `picoclaw limits unset {limit.name}`"
        )
    return float(text) if limit.kind == "usd" else int(text)


def _age(limit: Limit, text: str) -> timedelta:
    try:
        age = parse_duration(text)
    except ConfigError as error:
        raise UsageError(f"{limit.name}={text}: {error}") from None
    if not limit.least <= age.total_seconds() <= LONGEST:
        least = shown_age(timedelta(seconds=limit.least))
        raise UsageError(f"{limit.name}={text}: give {least} to {shown_age(timedelta(seconds=LONGEST))}")
    return age


def _size(limit: Limit, text: str) -> int:
    match = _SIZE.fullmatch(text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise UsageError(f"{limit.name}={text}: give a number and its unit, such as 512MiB or 2GiB")
    size = int(float(match[1]) * unit)
    if not limit.least <= size <= LARGEST:
        raise UsageError(f"{limit.name}={text}: give {shown_size(int(limit.least))} to {shown_size(LARGEST)}")
    return size


def shown_age(value: timedelta) -> str:
    """Return an age as `parse_duration` takes it back."""
    days, rest = value.days, value - timedelta(days=value.days)
    if not days:
        return format_duration(value)
    return f"{days}d" + (format_duration(rest) if rest else "")


def shown_size(size: int) -> str:
    """Return a size in the largest binary unit that leaves it over one, to one digit."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        factor = _UNITS[unit.lower()]
        if size >= factor:
            return f"{size / factor:.4g} {unit}".replace(" ", "")
    return f"{size}B"


def shown(value: Value | None, kind: str) -> str:
    """Return a limit's value for people."""
    if value is None:
        return "no limit"
    if isinstance(value, timedelta):
        return shown_age(value)
    if isinstance(value, float):
        return f"{value:.2f} USD"
    return shown_size(value) if kind == "size" else str(value)


def plain(changes: Mapping[str, Value | None]) -> dict[str, float | int | None]:
    """Return values for programs: counts, seconds and bytes."""
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in changes.items()
    }
