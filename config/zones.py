"""Time zones by their names in the tz database, such as `Europe/Berlin`."""

import os
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from ..errors import UsageError
from .spelling import nearest_word

LOCALTIME = "/etc/localtime"
_FOLDER = "zoneinfo/"


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name; raises UsageError."""
    try:
        # "localtime" is that of whatever machine reads it.
        return ZoneInfo("" if name.lower() in ("local", "localtime") else name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest_word(name, available_timezones())
        meant = f"did you mean {near}?" if near else "write for example Europe/Berlin or UTC"
        raise UsageError(f"no time zone is called {name[:60]!r}; {meant}") from None


def local_zone() -> ZoneInfo:
    """Return this machine's time zone; raises UsageError where it has no name here."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        try:
            target = os.path.realpath(LOCALTIME, strict=True)
        except OSError:
            return ZoneInfo("UTC")  # what a machine without a zone of its own goes by
        _, found, name = target.rpartition(_FOLDER)
        if not found:
            raise UsageError(
                f"this machine's time zone has no name ({LOCALTIME} is no link): give one with --tz"
            )
    if name in ("Etc/UTC", "Etc/UCT", "UCT", "Universal", "Zulu"):
        name = "UTC"
    return zone_of(name)
