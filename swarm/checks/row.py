"""A check's answer: one frozen row."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Row:
    """What one check found."""

    name: str
    status: Status
    detail: str
    fix: str = ""
    """What to do, as a command where there is one; empty when all is well."""


def ok(name: str, detail: str) -> Row:
    """Return the row of a check that found all well."""
    return Row(name, "ok", detail)


def warning(name: str, detail: str, fix: str = "") -> Row:
    """Return the row of something that works and should not stay so."""
    return Row(name, "warning", detail, fix)


def failed(name: str, detail: str, fix: str) -> Row:
    """Return the row of something that does not work."""
    return Row(name, "failed", detail, fix)


def failed_with(name: str, message: str) -> Row:
    """Return the row of an error of ours, whose message ends in what to do."""
    for separator in (". ", ": "):
        at = _last(separator, message)
        if at is not None:
            advice = message[at + len(separator) :]
            return failed(name, message[:at], advice[:1].lower() + advice[1:])
    return failed(name, message, "")


def _last(separator: str, message: str) -> int | None:
    """Return where the separator stands last outside of brackets and quoted commands."""
    depth, quoted, found = 0, False, None
    for at, sign in enumerate(message):
        quoted ^= sign == "`"
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if not quoted and depth == 0 and message.startswith(separator, at):
            found = at
    return found


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest
