"""Fields and histories, as every description prints them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..output import echo, echo_table, safe, stamp

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm
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


async def read_history(swarm: "Swarm", request: str, step: str | None) -> list["HistoryRow"]:
    """Return the history of a request with all its tasks, or of one task."""
    from ...swarm.log import decode
    from ...swarm.subjects import REQUEST_STEP, split_log_subject
    from ...swarm.views.history import history_row

    rows = []
    async for followed in swarm.log.history(request, step):
        _, of = split_log_subject(followed.subject)
        named = "" if of == REQUEST_STEP else of
        rows.append(history_row(decode(followed), seq=followed.seq, at=followed.at, step=named))
    return rows


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
