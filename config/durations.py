"""Durations as people write them: `10s`, `1m30s`, `500ms`, `2h`, `3d`."""

import re
from datetime import timedelta

from ..errors import ConfigError

_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"
_DURATION = re.compile(
    rf"(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?", re.ASCII
)
LONGEST = timedelta(days=365)


def parse_duration(text: str) -> timedelta:
    """Return the duration: days, hours, minutes, seconds and milliseconds in that order, each once.

    A number without a unit is refused, since nobody can tell which one was meant; so is anything
    over 365 days. Raises ConfigError.
    """
    match = _DURATION.fullmatch(text.strip())
    parts = match.groups() if match else ()
    if not any(parts):
        bare = re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text.strip(), re.ASCII)
        hint = f"{text.strip()} has no unit: write {text.strip()}s" if bare else f"{text!r} is not a duration"
        raise ConfigError(f"{hint}; durations look like 10s, 1m30s, 500ms, 2h or 3d")
    days, hours, minutes, seconds, milliseconds = (float(part) if part else 0.0 for part in parts)
    total = days * 86_400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    if total > LONGEST.total_seconds():
        raise ConfigError(f"{text!r} is over 365 days: give a shorter duration")
    return timedelta(seconds=total)


def format_duration(value: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back to the same millisecond."""
    milliseconds = round(value.total_seconds() * 1000)
    pieces = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            pieces.append(f"{count}{unit}")
    return "".join(pieces) or "0s"
