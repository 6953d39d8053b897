"""Patterns of paths: `**` for any number of folders, `*` and `?` within a name, `{a,b}` for either. Pure."""

import re
from collections.abc import Sequence
from fnmatch import translate

MOST = 64
"""Ways to read the braces of a pattern."""
LONGEST = 500
"""Characters of a pattern."""


class PatternRefused(Exception):
    """Raised when a pattern cannot be used; the message says why."""


class PathPattern:
    """Fits paths; one without `/` fits a name in any folder."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > LONGEST:
            raise PatternRefused(f"the pattern has over {LONGEST} characters")
        pattern = pattern.removeprefix("./")
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise PatternRefused(
                f"the pattern {pattern[:100]!r} leaves the folder: give path the folder instead"
            )
        if "/" not in pattern:
            pattern = f"**/{pattern}"
        self._ways = [_read(way) for way in _braces(pattern)]

    def fits(self, path: str) -> bool:
        """Return whether a path, from the folder that is searched, fits."""
        parts = path.split("/")
        return any(_fits(parts, way) for way in self._ways)


_Part = re.Pattern[str] | None
"""None: `**`."""


def _read(pattern: str) -> list[_Part]:
    parts: list[_Part] = []
    for part in pattern.split("/"):
        if part == "**":
            if not parts or parts[-1] is not None:
                parts.append(None)
        elif part:
            parts.append(re.compile(translate(part)))
    return parts


def _fits(parts: Sequence[str], pattern: Sequence[_Part]) -> bool:
    # Which beginnings of the path the pattern so far can stand for: no way back is ever tried twice.
    reached = {0}
    for one in pattern:
        if one is None:
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(parts) and one.match(parts[at])}
        if not reached:
            return False
    return len(parts) in reached


def _braces(pattern: str) -> list[str]:
    done, waiting = [], [pattern]
    while waiting:
        one = waiting.pop(0)
        found = re.search(r"\{([^{}]*,[^{}]*)\}", one)
        if found is None:
            done.append(one)
        else:
            waiting += [one[: found.start()] + way + one[found.end() :] for way in found[1].split(",")]
        if len(done) + len(waiting) > MOST:
            raise PatternRefused(f"the pattern's braces mean over {MOST} patterns: ask for fewer at once")
    return done
