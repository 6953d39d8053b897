"""Texts in the pieces in which a stream brings them. Pure."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"\s*\S+\s*|\s+")
LENGTH = 24
MOST = 2_000
"""Pieces of one text, about: of a longer one each is longer."""


def words(text: str) -> Iterator[str]:
    """Yield a text in pieces of a few words, none empty."""
    length = max(LENGTH, len(text) // MOST)
    piece = ""
    for word in _WORD.findall(text):
        if piece and len(piece) + len(word) > length:
            yield piece
            piece = ""
        piece += word
        while len(piece) > 2 * length:
            yield piece[:length]
            piece = piece[length:]
    if piece:
        yield piece


def chunks(text: str) -> Iterator[str]:
    """Yield a text in pieces of one length, which end anywhere: JSON comes like that."""
    length = max(LENGTH, len(text) // MOST)
    for at in range(0, len(text), length):
        yield text[at : at + length]
