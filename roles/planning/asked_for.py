"""What a request that no template serves may have meant: the ask that its words come near. Pure."""

from collections.abc import Iterable

from .match import asks_for, clauses
from .template_model import Template

LIKE = 0.75
"""How like two words are to be: `reveiw` is, `write` is not like `critique`."""


def near_ask(text: str, templates: Iterable[Template]) -> str | None:
    """Return the request with its first words respelled so that a template serves it, or None.

    `Reveiw this repository` → `Review this repository`.
    """
    from difflib import get_close_matches  # only who mistypes pays for it

    first = next(iter(clauses(text)), ())
    for template in templates:
        match = template.match
        words = first
        while words and words[0] in match.skip:
            words = words[1:]
        for length in (1, 2, 3):
            asks = [phrase for phrase in match.asks if len(phrase.split()) == length]
            typed = " ".join(words[:length])[:100]
            near = get_close_matches(typed, asks, n=1, cutoff=LIKE) if len(words) >= length else []
            if not near:
                continue
            respelled = " ".join((near[0], *words[length:]))
            if asks_for(respelled, match.asks, match.unless, match.skip):
                return respelled[:1].upper() + respelled[1:80]
    return None
