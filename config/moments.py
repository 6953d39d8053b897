"""Moments as people write them: `2026-12-24 18:00`, `18:00`, `tomorrow 09:00`, RFC 3339."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from ..errors import UsageError

LATE = timedelta(minutes=1)
"""What has just passed is taken for now."""
FARTHEST = timedelta(days=5 * 366)
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
_CLOCK = re.compile(rf"(?:(?P<day>today|tomorrow)\s+)?{_TIME}", re.ASCII | re.IGNORECASE)
_SHAPE = 'write for example "2026-12-24 18:00", "18:00", "tomorrow 09:00" or 2026-12-24T18:00:00+01:00'


def parse_moment(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Return the moment that is meant, in UTC; a time without a zone is read in `zone`.

    A time of day alone is the next one. Raises UsageError for what is no moment, for one that has
    passed, and for one over five years away.
    """
    words = " ".join(text.split())
    clock = _CLOCK.fullmatch(words)
    moment = _by_clock(clock, zone, now) if clock else _by_date(words, zone)
    return check_moment(moment, now, words)


def check_moment(moment: datetime, now: datetime, words: str = "") -> datetime:
    """Return a moment in UTC; raises UsageError for one that has passed, or is over five years away."""
    said = words or moment.isoformat(sep=" ", timespec="seconds")
    if moment < now - LATE:
        raise UsageError(
            f"{said} has passed: it is {now.astimezone(moment.tzinfo).isoformat(sep=' ', timespec='seconds')}"
        )
    if moment > now + FARTHEST:
        raise UsageError(f"{said} is over five years away: give an earlier time")
    return moment.astimezone(UTC)


def _by_clock(clock: "re.Match[str]", zone: tzinfo, now: datetime) -> datetime:
    here = now.astimezone(zone)
    try:
        at = here.replace(
            hour=int(clock["hour"]), minute=int(clock["minute"]), second=int(clock["second"] or 0),
            microsecond=0, fold=0,
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(f"{clock[0]!r} is no time of day: {error}") from None
    day = (clock["day"] or "").lower()
    tomorrow = at + timedelta(days=1)
    if day == "tomorrow":
        return _existing(tomorrow)
    return _existing(tomorrow if not day and at < here - LATE else at)


def _by_date(words: str, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise UsageError(f"{words[:60]!r} is no time that is understood: {_SHAPE}") from None
    if not re.search(r"[T ]\d", words):
        raise UsageError(f"{words!r} is a day: say the time too, such as {words} 18:00")
    return moment if moment.tzinfo is not None else _existing(moment.replace(tzinfo=zone))


def _existing(wall: datetime) -> datetime:
    """Return a time on the wall; raises UsageError for one that the change to summer time leaves out."""
    there = wall.astimezone(UTC).astimezone(wall.tzinfo)
    if there.replace(tzinfo=None) != wall.replace(tzinfo=None, fold=0):
        raise UsageError(
            f"{wall:%Y-%m-%d %H:%M} does not exist in {wall.tzinfo}: the clocks are put forward then; "
            f"the time after it is {there:%H:%M}"
        )
    return wall
