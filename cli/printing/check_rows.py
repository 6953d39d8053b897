"""Rows of checks as lines and as JSON, and the exit code that they make."""

from collections.abc import Sequence

import click

from ...swarm.checks.row import Row
from .output import colours, echo, echo_json, safe

NO_SERVER = 3
COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def report(rows: Sequence[Row], *, reached: bool, as_json: bool) -> int:
    """Print the rows and return the exit code: 3 without a server, 1 with something failed, else 0."""
    broken = any(row.status == "failed" for row in rows)
    code = NO_SERVER if not reached else int(broken)
    if as_json:
        echo_json({"ok": code == 0, "exit_code": code, "checks": list(rows)})
        return code
    names = max((len(row.name) for row in rows), default=0)
    coloured = colours()
    for row in rows:
        status = f"{row.status:<7}"
        if coloured:
            status = click.style(status, fg=COLOURS[row.status])
        fix = f"; fix: {safe(row.fix)}" if row.fix else ""
        echo(f"{status}  {row.name:<{names}}  {safe(row.detail)}{fix}")
    return code
