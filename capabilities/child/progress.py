"""Progress of a child: lines that it writes to descriptor 3, as text or as JSON. Pure."""

import json
import re
from dataclasses import dataclass

_PERCENT = re.compile(r"\s*(\d{1,3}(?:\.\d{1,3})?)\s*%\s*(.*)")
LONGEST = 500
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a child says that it is."""

    message: str
    fraction: float | None = None
    """From 0 to 1."""


def read_progress(line: bytes) -> Progress | None:
    """Read `text`, `40% text` or `{"message": …, "fraction": 0.4}`; None for a line that says nothing."""
    text = line.decode("utf-8", "replace").strip()
    if not text:
        return None
    if text.startswith("{"):
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return Progress(text[:LONGEST])
        if not isinstance(told, dict):
            return None
        fraction, message = told.get("fraction"), told.get("message")
        return Progress(
            str(message)[:LONGEST] if message is not None else "",
            _within(fraction) if isinstance(fraction, int | float) else None,
        )
    found = _PERCENT.fullmatch(text)
    if found is not None:
        return Progress(found[2][:LONGEST], _within(float(found[1]) / 100))
    return Progress(text[:LONGEST])


def _within(fraction: float) -> float | None:
    return float(fraction) if 0 <= fraction <= 1 else None
