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
        head, found, advice = message.rpartition(separator)
        if found:
            return failed(name, head, advice[:1].lower() + advice[1:])
    return failed(name, message, "")


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest
