"""What a request that no template serves may have meant: the ask that its words come near. Pure."""

from collections.abc import Iterable

from ...config.spelling import nearest_word
from .match import asks_for, clauses
from .template_model import Template


def near_ask(text: str, templates: Iterable[Template]) -> str | None:
    """Return the request with its first words respelled so that a template serves it, or None.

    `Reveiw this repository` → `Review this repository`.
    """
    first = next(iter(clauses(text)), ())
    for template in templates:
        match = template.match
        words = first
        while words and words[0] in match.skip:
            words = words[1:]
        for length in (1, 2, 3):
            asks = [phrase for phrase in match.asks if len(phrase.split()) == length]
            near = nearest_word(" ".join(words[:length]), asks) if len(words) >= length else None
            if near is None:
                continue
            respelled = " ".join((near, *words[length:]))
            if asks_for(respelled, match.asks, match.unless, match.skip):
                return respelled[:1].upper() + respelled[1:80]
    return None
