"""The one decision on retries: what to do after a model did not answer. Pure: time and chance come in."""

from dataclasses import dataclass
from datetime import timedelta

_FIRST = timedelta(seconds=0.5)
_CAP = timedelta(seconds=30)
_PATIENCE = timedelta(seconds=20)
"""A longer wait that a provider asks for is not waited while another model could be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """How one question to one model ended."""

    final: bool
    """Asking it again would not help."""
    wait: timedelta | None = None
    """What the provider asks to wait."""
    of_question: bool = False
    """The question itself is wrong: asking another model would only hide it."""
    unasked: bool = False
    """It was not even asked: this machine's own limits left no place, which is no failure of the model.
    Without `wait` it has waited for one already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the chain stands."""

    model: int
    """The one just asked, counted from 0."""
    models: int
    tries: int
    """How often it was asked, this time included."""
    left: timedelta
    """Of the total time-out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Ask the same model after a wait."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class Next:
    """Ask the next model of the chain at once."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody is left to ask, or no time."""


Decision = Again | Next | GiveUp


def decide(standing: Standing, failed: Failed, retries: int, chance: float) -> Decision:
    """Return what to do next. `chance` is from 0 to 1, drawn anew each time.

    A model is asked at most `retries` times again. What cannot be mended goes on at once, but a wrong
    question ends; what the provider asks to wait is never cut short, and a wait that the time left does not
    hold is not begun.
    """
    if failed.of_question:
        return GiveUp()
    another = standing.model + 1 < standing.models
    onward: Decision = Next() if another and standing.left > timedelta(0) else GiveUp()
    if failed.final or (standing.tries > retries and not failed.unasked):
        return onward
    if failed.unasked and failed.wait is None and another:
        return onward
    own = min(_CAP, _FIRST * 2 ** min(max(standing.tries - 1, 0), 10))
    wait = own * (0.5 + chance / 2)
    if failed.wait is not None:
        if another and failed.wait > _PATIENCE:
            return onward
        wait = failed.wait + wait * 0.1  # those that were told the same time do not all come at it
    return Again(wait=wait) if wait < standing.left else onward
