"""The last words of a child: what an error and a log say of what it printed. Pure."""

from collections.abc import Iterable
from itertools import groupby

from .mask import Mask

WORDS = 600
FLOOD = 64
"""Bytes from which mostly NULs are no words."""
LOG = 4000
"""Characters of a result's log."""


def last_words(mask: Mask, *streams: bytes, lines: int = 3) -> str:
    """Return the last lines of the first stream that says anything, in one line."""
    for stream in streams:
        if len(stream) >= FLOOD and stream.count(0) > len(stream) // 2:
            return "what it said is no text"
        text = mask.text(stream.decode("utf-8", "replace"))
        said = folded(" ".join(line.split()) for line in text.splitlines() if line.strip())
        if said:
            words = " / ".join(said[-lines:])
            return words if len(words) <= WORDS else "…" + words[-WORDS:]
    return "it said nothing"


def folded(lines: Iterable[str]) -> list[str]:
    """Return the lines, each that repeats the one before it left out and counted."""
    return [
        line if number == 1 else f"{line} ({number} times)"
        for line, number in ((line, sum(1 for _ in same)) for line, same in groupby(lines))
    ]


def log_of(mask: Mask, *streams: bytes) -> str | None:
    """Return the end of what was said, None for nothing."""
    text = "".join(mask.text(stream.decode("utf-8", "replace")) for stream in streams).strip(" \t\r\n\0")
    return (text if len(text) <= LOG else "…" + text[-LOG:]) or None
