"""Spelling: the known word nearest to one that nobody knows, for messages that help."""

from collections.abc import Iterable


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is spelled most like `word`, or None when none comes near.

    Ties go to the first in alphabetical order, so that the same mistake gets the same answer.
    """
    from difflib import get_close_matches  # only errors pay for it

    # A word of any length may come from outside; the comparison is quadratic.
    found = get_close_matches(word[:100], sorted(set(known)), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'security'?`, or nothing when no known word comes near."""
    found = nearest_word(word, known)
    return f"; did you mean {found!r}?" if found else ""
