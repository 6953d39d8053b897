"""Budgets as they are typed: what the agents of a request may spend, with all that they hand on."""

import math
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    from ...swarm.records import Limited

MOST = 10**12


def read_budget(
    usd: str | None, tokens: str | None, turns: str | None, on_breach: str | None
) -> "Limited | None":
    """Return the budget; None: nothing was limited. Raises UsageError, which names the flag."""
    from ...swarm.records import Limited

    if usd is None and tokens is None and turns is None:
        if on_breach is not None:
            raise UsageError(
                "--on-breach says what a spent budget does: give one, by --budget-usd, --budget-tokens or "
                "--budget-turns"
            )
        return None
    return Limited(
        usd=None if usd is None else _usd(usd),
        tokens=None if tokens is None else _number(tokens, "--budget-tokens"),
        turns=None if turns is None else _number(turns, "--budget-turns"),
        on_breach="ask" if on_breach == "ask" else "wrap_up",
    )


def _usd(text: str) -> float:
    try:
        found = float(text.strip().removeprefix("$"))
    except ValueError:
        found = math.nan
    if not 0 < found <= MOST:
        raise UsageError(f"--budget-usd {text[:40]!r}: give an amount above 0, such as 2.50")
    return found


def _number(text: str, flag: str) -> int:
    plain = text.strip().replace("_", "").replace(",", "")
    number, factor = plain, 1
    if plain[-1:].lower() in ("k", "m"):
        number, factor = plain[:-1], 1_000 if plain[-1].lower() == "k" else 1_000_000
    if not (number.isascii() and number.isdigit()) or not 0 < int(number[:16]) * factor <= MOST:
        raise UsageError(f"{flag} {text[:40]!r}: give a whole number above 0, such as 40 or 200k")
    return int(number) * factor
