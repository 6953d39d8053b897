"""Written: what a model made of the results, before it is checked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A text by a model, and how it came about."""

    text: str
    model: str
    turns: int = 0
    """Questions with an answer that it took, those for notes included."""
    tokens: int = 0
    usd: float | None = None
    """None: no price is known."""
    reduced: int = 0
    """Pieces of the results that were read as notes; 0: the model read the results themselves."""
    left_out: int = 0
    """Characters of the results that nobody read: they were beyond the limit."""
    cut: bool = False
    """The text ends at the model's length limit."""
