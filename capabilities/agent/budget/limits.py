"""What an agent may spend."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Breach = Literal["ask", "wrap_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of one task, request tree or tenant; what is None is not limited."""

    usd: float | None = None
    tokens: int | None = None
    """Read and written together, those of a cache included."""
    turns: int | None = None
    """Questions to a model, those without an answer included."""
    wall: timedelta | None = None
    on_breach: Breach = "wrap_up"
    """`ask` pauses and asks; `wrap_up` ends with a partial result that says so."""
