"""Whether a request in words is one that a template serves: whole words, read clause by clause.

No model, so it errs on the side of no: a request that does not match is refused with what would
work, one that matches by mistake would be answered with something nobody asked for.
"""

import re
from collections.abc import Sequence

READ_AT_MOST = 4000
"""Characters of a request that are looked at."""

_CLAUSE = re.compile(r"[.!?;:,\n]+(?:\s|$)|\n|\b(?:and|then|but)\b|&")
_WORD = re.compile(r"[\w'#+-]+")


def clauses(text: str) -> list[tuple[str, ...]]:
    """Return the clauses of a request as lower-case words, empty ones left out."""
    parts = _CLAUSE.split(text[:READ_AT_MOST].lower())
    found = (tuple(_WORD.findall(part)) for part in parts)
    return [words for words in found if words]


def asks_for(text: str, asks: Sequence[str], unless: Sequence[str], skip: Sequence[str]) -> bool:
    """Return whether a clause begins with one of `asks` and none with one of `unless`.

    Words of `skip` are dropped from the front of each clause first. `asks` and `unless` are phrases
    of one word or more.
    """
    dropped = frozenset(skip)
    wanted = [tuple(phrase.lower().split()) for phrase in asks]
    unwanted = [tuple(phrase.lower().split()) for phrase in unless]
    found = False
    for words in clauses(text):
        start = 0
        while start < len(words) and words[start] in dropped:
            start += 1
        rest = words[start:]
        if any(rest[: len(phrase)] == phrase for phrase in unwanted):
            return False
        found = found or any(rest[: len(phrase)] == phrase for phrase in wanted)
    return found
