"""Texts in the pieces in which a stream brings them. Pure."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"\s*\S+\s*|\s+")
LENGTH = 24


def words(text: str) -> Iterator[str]:
    """Yield a text in pieces of a few words, none empty."""
    piece = ""
    for word in _WORD.findall(text):
        if piece and len(piece) + len(word) > LENGTH:
            yield piece
            piece = ""
        piece += word
        while len(piece) > 2 * LENGTH:
            yield piece[:LENGTH]
            piece = piece[LENGTH:]
    if piece:
        yield piece


def chunks(text: str) -> Iterator[str]:
    """Yield a text in pieces of one length, which end anywhere: JSON comes like that."""
    for at in range(0, len(text), LENGTH):
        yield text[at : at + LENGTH]
