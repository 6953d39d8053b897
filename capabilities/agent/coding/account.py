"""An account: what a coding CLI told of its run, whichever it is. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from ....config.plain_json import read_json
from ....swarm.nesting import too_deep

_PASSING = re.compile(
    r"rate.?limit|overloaded|too many requests|temporarily|time(d)?.?out|connection (error|reset|refused)"
    r"|\b(429|502|503|529)\b",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(
    r"insufficient_quota|credit balance|billing|exceeded your current quota", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a run came to."""

    text: str = ""
    """Its answer."""
    usd: float | None = None
    """None: it does not tell."""
    turns: int | None = None
    session: str | None = None
    read: int | None = None
    """Tokens."""
    written: int | None = None
    """Tokens."""
    problem: str = ""
    """Why it is no answer, in its own words where it has any; empty: it is one."""
    stopped: str = ""
    """Why it ended before it was through, where what it did until then counts; empty: it was through."""
    denied: int = 0
    """Uses of tools that its own fences refused."""
    understood: bool = True
    """Whether this is its account; else nothing in its output could be read as one."""

    @property
    def billed(self) -> bool:
        """Whether it tells what it took."""
        return self.usd is not None or self.read is not None or self.written is not None


Reader = Callable[[str], Account]
"""From all that a CLI printed to its account; never raises."""


def passing(problem: str) -> bool:
    """Return whether a problem may be gone by the next attempt, by its words."""
    return bool(_PASSING.search(problem)) and not _NO_MONEY.search(problem)


def last_object(printed: str) -> dict[str, JsonValue] | None:
    """Return the one JSON object that was printed, whatever stands before it; None where there is none."""
    whole = _object(printed)
    if whole is not None:
        return whole
    lines = printed.splitlines()
    begins = [number for number, line in enumerate(lines) if line.startswith("{")]
    # From the last on: what comes before it is noise. A few are enough, as each is read to the end.
    for number in reversed(begins[-20:]):
        for text in (lines[number], "\n".join(lines[number:])):
            if (found := _object(text)) is not None:
                return found
    return None


def objects(printed: str) -> Iterator[dict[str, JsonValue]]:
    """Yield each line that is a JSON object; others are passed over."""
    for line in printed.splitlines():
        if line.startswith("{") and (found := _object(line)) is not None:
            yield found


def unread(program: str, printed: str) -> Account:
    """Return the account of a run whose output nobody can read."""
    begins = " ".join(printed[:200].split())[:80]
    what = f"it begins with {begins!r}" if begins else "it printed nothing"
    problem = f"its output is not what {program} prints ({what}): see whether its version fits"
    return Account(problem=problem, understood=False)


def as_text(value: JsonValue) -> str:
    """Return a text as it is; empty for anything else."""
    return value if isinstance(value, str) else ""


def as_count(value: JsonValue) -> int | None:
    """Return a count; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def as_usd(value: JsonValue) -> float | None:
    """Return a sum of money; None for what is none."""
    given = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if given and 0 <= value < 1e9 else None  # type: ignore[arg-type, operator]


def as_object(value: JsonValue) -> dict[str, JsonValue]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def total(counts: Iterator[int | None]) -> int | None:
    """Return the sum of what is known; None where nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _object(text: str) -> dict[str, JsonValue] | None:
    if too_deep(text.encode("utf-8", "replace")):
        return None
    try:
        found = read_json(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
