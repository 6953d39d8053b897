"""Output of the verbs: tables and JSON, plain where nobody looks, safe where somebody does."""

import dataclasses
import json
import os
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

GAP = 3
_PIPE_WIDTH = 1 << 30
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

    At a terminal the last column, which holds free text, is cut to its width, and statuses are
    coloured. Laid out here because rich takes seconds for the thousands of rows of a large swarm.
    """
    from rich.cells import cell_len, chop_cells

    cells = [list(row) for row in rows]
    if not cells and empty:
        echo(empty)
        return
    widths = [
        max([cell_len(name), *(cell_len(row[index]) for row in cells)]) + GAP
        for index, name in enumerate(columns)
    ]
    colour = colours()
    room = _terminal_width() - sum(widths[:-1])
    for number, row in enumerate([list(columns), *cells]):
        *fixed, last = row
        if cell_len(last) > room > 1:
            last = chop_cells(last, room - 1)[0] + "…"
        line = []
        for text, width in zip([*fixed, last], [*widths[:-1], 0], strict=True):
            pad = " " * (width - cell_len(text))
            if colour and number == 0:
                text = click.style(text, bold=True)
            elif colour and text in STYLES:
                text = click.style(text, fg=STYLES[text])
            line.append(text + pad)
        echo("".join(line).rstrip())


def colours() -> bool:
    """Return whether to colour: only where somebody looks and has not asked for none."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH


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
