"""How much of an answer is taken, and which counts are believed, whatever a server says. Pure."""

MOST_TEXT = 16 * 2**20
"""Characters of one answer, thoughts and arguments included: far more than any model may say at once."""
MOST_OF_EVENT = 4 * 2**20
"""Bytes of one event of a stream: more than the whole of a long answer."""
MOST_LINES = 1000
"""Lines of one event, which has two or three: whoever joins many short ones takes ever longer for each."""
MOST_TOKENS = 10**9
"""Tokens of one turn: a larger count is none, and would spend every budget for ever."""


_EMPTY_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Endless(ValueError):
    """Raised when an answer, or a part of it, is longer than any model's can be."""


class Size:
    """Adds up the pieces of one answer."""

    def __init__(self) -> None:
        self._left = MOST_TEXT

    def take(self, *pieces: str | None) -> None:
        """Count some pieces. Raises Endless."""
        self._left -= sum(len(piece) for piece in pieces if piece)
        if self._left < 0:
            raise Endless(f"it has over {MOST_TEXT // 2**20} million characters and does not end")


class EventBound:
    """Counts what stands in a stream of events since the last empty line, which ends an event."""

    def __init__(self) -> None:
        self._held = self._lines = 0
        self._tail = b""

    def take(self, chunk: bytes) -> None:
        """Count a chunk. Raises Endless."""
        seen = self._tail + chunk
        ends = [end for mark in _EMPTY_LINES if (end := seen.rfind(mark)) >= 0]
        if ends:
            begun = seen[max(ends) + 2 :]
            self._held, self._lines = len(begun), begun.count(b"\n")
        else:
            self._held, self._lines = self._held + len(chunk), self._lines + chunk.count(b"\n")
        self._tail = seen[-3:]
        if self._held > MOST_OF_EVENT or self._lines > MOST_LINES:
            raise Endless("one event of its stream does not end")


def tokens(value: object) -> int | None:
    """Return a count that may be one; None for what is none."""
    return value if isinstance(value, int) and 0 <= value <= MOST_TOKENS else None
