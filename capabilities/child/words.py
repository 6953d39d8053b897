"""The last words of a child: what an error and a log say of what it printed. Pure."""

from .mask import Mask

WORDS = 600
LOG = 4000
"""Characters of a result's log."""


def last_words(mask: Mask, *streams: bytes, lines: int = 3) -> str:
    """Return the last lines of the first stream that says anything, in one line."""
    for stream in streams:
        text = mask.text(stream.decode("utf-8", "replace"))
        said = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        if said:
            words = " / ".join(said[-lines:])
            return words if len(words) <= WORDS else "…" + words[-WORDS:]
    return "it said nothing"


def log_of(mask: Mask, *streams: bytes) -> str | None:
    """Return the end of what was said, None for nothing."""
    text = "".join(mask.text(stream.decode("utf-8", "replace")) for stream in streams).strip()
    return (text if len(text) <= LOG else "…" + text[-LOG:]) or None
