"""How much of an answer is taken, and which counts are believed, whatever a server says. Pure."""

MOST_TEXT = 16 * 2**20
"""Characters of one answer, thoughts and arguments included: far more than any model may say at once."""
MOST_TOKENS = 10**9
"""Tokens of one turn: a larger count is none, and would spend every budget for ever."""


class Endless(ValueError):
    """Raised when an answer is longer than any model's can be."""


class Size:
    """Adds up the pieces of one answer."""

    def __init__(self) -> None:
        self._left = MOST_TEXT

    def take(self, *pieces: str | None) -> None:
        """Count some pieces. Raises Endless."""
        self._left -= sum(len(piece) for piece in pieces if piece)
        if self._left < 0:
            raise Endless(f"it has over {MOST_TEXT // 2**20} million characters and does not end")


def tokens(value: object) -> int | None:
    """Return a count that may be one; None for what is none."""
    return value if isinstance(value, int) and 0 <= value <= MOST_TOKENS else None
