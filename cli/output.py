"""Output of the verbs: tables and JSON, plain where nobody looks, safe where somebody does."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

STYLES = {
    "online": "green",
    "busy": "yellow",
    "suspicious": "yellow",
    "draining": "yellow",
    "offline": "red",
    "running": "cyan",
    "done": "green",
    "done(partial)": "yellow",
    "failed": "red",
    "dead": "red",
    "cancelled": "magenta",
    "cancelling": "magenta",
    "unroutable": "yellow",
}
"""Colours of statuses, at a terminal only."""

_PIPE_WIDTH = 100_000
"""Where nobody looks, no line is cut."""


def echo(text: str) -> None:
    """Print a text, whatever characters this output can carry."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding))


def echo_json(value: object) -> None:
    """Print a value as JSON; dataclasses become objects."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def echo_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "") -> None:
    """Print a table; `empty` stands in for one without rows.

    At a terminal the last column is cut to its width, and statuses are coloured.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    if not cells and empty:
        echo(empty)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for index, name in enumerate(columns):
        # Only the last column, which holds free text, gives way to a narrow terminal.
        last = index == len(columns) - 1
        widest = max([cell_len(name), *(cell_len(line[index]) for line in cells)])
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=None if last else widest)
    for line in cells:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in line))
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _PIPE_WIDTH, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for text in capture.get().splitlines():
        echo(text.rstrip())


def safe(text: str, limit: int | None = None) -> str:
    """Return foreign text in one line, without control sequences for the terminal."""
    from ..roles.synthesis.markdown import clean

    return clean(text, limit)


def safe_lines(text: str) -> str:
    """Return foreign text in its lines, without control sequences for the terminal."""
    from ..roles.synthesis.markdown import clean_lines

    return "\n".join(clean_lines(text, len(text)))


def age(seconds: float) -> str:
    """Return a length of time in at most two units: `42s`, `3m`, `2h15m`, `4d3h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours == 0:
        return f"{minutes}m"
    if days == 0:
        return f"{hours}h{minutes % 60}m"
    return f"{days}d{hours % 24}h"


def stamp(at: float) -> str:
    """Return a server time for people: this machine's time zone, to the millisecond."""
    from datetime import datetime

    return datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="milliseconds")


def iso(at: float) -> str:
    """Return a server time for programs: UTC, RFC 3339."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
