"""`picoclaw get requests`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..flags import connection_flags, load_settings
from ..printing.formats import Format, Listing, format_flags, read_format
from ..printing.forms import PRIORITIES, request_json
from ..printing.output import age, echo, safe
from .filters import all_flag, limit_flag, node_flag, read_filter, status_flag

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm
    from ...swarm.views.requests import RequestRow

AT_FIRST = 200
"""Requests looked through at first with a filter; if more are wanted, all others at once."""
TEXT = 60
"""Characters of free text in a column."""

EPILOG = """\b
Examples:
  picoclaw get requests
  picoclaw get requests --status running,queued
  picoclaw get requests --all --json
  picoclaw get requests --status failed -o name

\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage, 3 no
connection.
"""


@click.command(epilog=EPILOG, short_help="Requests, newest first.")
@status_flag
@node_flag("Only those that this coordinator owns.")
@limit_flag
@all_flag
@format_flags
@connection_flags
@click.pass_context
def requests(
    ctx: click.Context,
    statuses: tuple[str, ...],
    names: tuple[str, ...],
    limit: int,
    everything: bool,
    output: Format | None,
    as_json: bool,
) -> int:
    """List requests, newest first; what no coordinator has taken yet is `queued`.

    \b
    --json: a list of objects with id, state (queued, running, done, failed,
    cancelled), status (as state, or cancelling, or done(partial)), done, total
    (null until it is planned), owner, priority, created_at, changed_at, reason,
    text.
    """
    form = read_format(output, as_json)
    wanted = read_filter("request", statuses=statuses, nodes=names)

    async def work(swarm: "Swarm") -> int:
        from ...swarm.look import list_requests, look_around, read_requests
        from ...swarm.views.filters import Filter
        from ...swarm.views.requests import request_row

        around = await look_around(swarm)
        listed = await list_requests(swarm)
        most = len(listed) if everything else limit
        first = most if wanted == Filter() or everything else AT_FIRST
        rows: list[RequestRow] = []
        unread = len(listed)
        for part in (listed[:first], listed[first:]):
            if len(rows) < most:
                states = await read_requests(swarm, part)
                rows += [row for row in (request_row(one, around) for one in states) if wanted.request(row)]
                unread -= len(part)
        shown, left = rows[:most], len(rows[most:]) + unread
        listing(around.now).show(shown, form)
        if left and form in ("table", "wide"):
            fits = "" if wanted == Filter() else " to look through"
            echo(f"{left} more{fits}: add --all or --limit", err=True)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw get")


def listing(now: float) -> Listing["RequestRow"]:
    """Return how requests are printed at a server time."""
    first: tuple[tuple[str, Callable[[RequestRow], str]], ...] = (
        ("ID", lambda row: safe(row.id)),
        ("STATUS", lambda row: row.status),
        ("TASKS", lambda row: f"{row.done}/{'?' if row.total is None else row.total}"),
        ("OWNER", lambda row: safe(row.owner, TEXT) or "-"),
        ("CREATED", lambda row: f"{age(now - row.created_at)} ago"),
    )
    return Listing(
        columns=(*first, ("TEXT", lambda row: safe(row.text, TEXT))),
        wide=(
            *first,
            ("CHANGED", lambda row: f"{age(now - row.changed_at)} ago"),
            ("PRIORITY", lambda row: PRIORITIES.get(row.priority, str(row.priority))),
            ("TEXT", lambda row: safe(row.text, TEXT)),
            ("RETRIES", lambda row: safe(row.retries) or "-"),
            ("REASON", lambda row: safe(row.reason, 300) or "-"),
        ),
        name=lambda row: safe(row.id),
        form=request_json,
        empty="no requests: send one with `picoclaw dispatch`",
    )
