"""Output of the verbs: tables and JSON, plain where nobody looks, safe where somebody does."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any, Protocol, TextIO

import click

from .columns import fit

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

_PIPE_WIDTH = 1 << 30
"""Where nobody looks, no line is cut."""
_LEAST_WIDTH = 20
"""Cells below which a terminal is taken for wider than it says."""


class Clearable(Protocol):
    """A line of progress that stands at the terminal now."""

    def clear(self) -> None:
        """Take it away."""


STATUS_LINE: ContextVar[Clearable | None] = ContextVar("status_line", default=None)
"""The line that has to go before anything else is printed."""


def hush() -> None:
    """Take away the line of progress, if one stands there."""
    line = STATUS_LINE.get()
    if line is not None:
        line.clear()


def echo(text: str, *, err: bool = False) -> None:
    """Print a text, whatever characters this output can carry."""
    hush()
    if err:
        click.echo(text, err=True)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding))


def echo_json(value: object) -> None:
    """Print a value as JSON; dataclasses become objects."""
    hush()
    click.echo(json.dumps(value, indent=2, default=_plain))


def echo_line(value: object) -> None:
    """Print a value as JSON in one line, at once, for whoever reads as it comes."""
    hush()
    click.echo(json.dumps(value, default=_plain))
    sys.stdout.flush()


def echo_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "") -> None:
    """Print a table; `empty` stands in for one without rows.

    At a terminal its lines fit the width: what is longer is cut, the last column first, and statuses
    are coloured. Laid out here because rich takes seconds for the thousands of rows of a large swarm.
    """
    from rich.cells import cell_len

    cells = [list(row) for row in rows]
    if not cells and empty:
        echo(empty)
        return
    table = [list(columns), *cells]
    room = _terminal_width()
    widths, gap = fit([max(map(cell_len, column)) for column in zip(*table, strict=True)], room)
    colour = colours()
    lines = []
    for number, row in enumerate(table):
        line, used = [], 0
        for whole, width in zip(row, widths, strict=True):
            text = cut(whole, min(width, room - used))
            pad = " " * (width + gap - cell_len(text))
            used += width + gap
            if colour and text and number == 0:
                text = click.style(text, bold=True)
            elif colour and text and whole in STYLES:
                text = click.style(text, fg=STYLES[whole])
            line.append(text + pad)
        lines.append("".join(line).rstrip())
    echo("\n".join(lines))


def cut(text: str, room: int) -> str:
    """Return a text in at most `room` cells, with an ellipsis where it was longer."""
    from rich.cells import cell_len, set_cell_size

    if room <= 0:
        return ""
    if cell_len(text) <= room:
        return text
    return set_cell_size(text, room - 1).rstrip() + "…"


def colours(stream: TextIO | None = None) -> bool:
    """Return whether to colour what goes to a stream (stdout): where somebody looks and wants it."""
    # An empty NO_COLOR is none, by its convention.
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR")


def _terminal_width() -> int:
    import shutil

    return max(_LEAST_WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else _PIPE_WIDTH


def safe(text: str, limit: int | None = None) -> str:
    """Return foreign text in one line, without control sequences for the terminal."""
    from ...roles.synthesis.markdown import clean

    return clean(text, limit)


def safe_lines(text: str) -> str:
    """Return foreign text in its lines, without control sequences for the terminal."""
    from ...roles.synthesis.markdown import clean_lines

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
