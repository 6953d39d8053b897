"""Fields and histories, as every description prints them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..printing.output import echo, echo_table, safe, stamp

if TYPE_CHECKING:
    from ...swarm.views.history import HistoryRow

TEXT = 400
"""Characters of a request's text that are shown; --json has it whole."""
REASON = 300
NAME = 60


def print_fields(*fields: tuple[str, str], skip: Sequence[str] = ()) -> None:
    """Print names and values, one per line; empty values are left out."""
    shown = [(name, value) for name, value in fields if value and name not in skip]
    width = max(len(name) for name, _ in shown) + 1
    for name, value in shown:
        echo(f"{name + ':':<{max(width, 16)}} {value}")


def print_history(history: Sequence["HistoryRow"], *, steps: bool) -> None:
    """Print a history as a table."""
    if not history:
        return
    echo("\nHistory:")
    columns = ["  TIME", *(["STEP"] if steps else []), "WHAT", "ATTEMPT", "NODE", "BY", "REASON"]
    rows = []
    for entry in history:
        cells = [
            f"  {stamp(entry.at)}",
            *([safe(entry.step) or "-"] if steps else []),
            entry.what,
            str(entry.attempt or "-"),
            safe(entry.node, NAME) or "-",
            safe(entry.by, NAME) or "-",
            safe(entry.reason, REASON),
        ]
        rows.append(cells)
    echo_table(columns, rows)
