"""`picoclaw get tasks`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..completion.offered import REQUEST
from ..flags import connection_flags, load_settings
from ..printing.formats import Format, Listing, format_flags, read_format
from ..printing.forms import PRIORITIES, shown_status, task_json
from ..printing.output import age, safe
from .filters import all_flag, capability_flag, label_flag, limit_flag, node_flag, read_filter, status_flag

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm
    from ...swarm.views.filters import Filter
    from ...swarm.views.nodes import Around
    from ...swarm.views.requests import TaskRow

AT_FIRST = 50
"""Requests read at first; if more tasks are wanted, all others at once, which for many costs far less."""
NAME = 60
"""Characters of a name in a column."""

EPILOG = """\b
Examples:
  picoclaw get tasks
  picoclaw get tasks --status running,queued -o wide
  picoclaw get tasks --request r-k3pq --json
  picoclaw get tasks --status unroutable --all -o name

\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage or no such
request, 3 no connection.
"""


@click.command(epilog=EPILOG, short_help="Tasks, those of the newest request first.")
@click.option("--request", "request_id", metavar="ID", type=REQUEST, help="Only the tasks of one request.")
@status_flag
@capability_flag
@node_flag("Only those that this node holds or ended.")
@label_flag
@limit_flag
@all_flag
@format_flags
@connection_flags
@click.pass_context
def tasks(
    ctx: click.Context,
    request_id: str | None,
    statuses: tuple[str, ...],
    capabilities: tuple[str, ...],
    names: tuple[str, ...],
    labels: tuple[str, ...],
    limit: int,
    everything: bool,
    output: Format | None,
    as_json: bool,
) -> int:
    """List tasks, those of the newest request first, each request's in the order of its plan.

    AGENT is the agent or capability that a task asks for; CREATED is the time since its request
    came in. Statuses are klaw's as well: pending, completed; queued takes in
    unroutable.

    \b
    --json: a list of objects with id, request, step, title, capability (its
    demand), does (null: that capability), node, state (planned, queued, running,
    done, failed, cancelled, dead), status (as state, or unroutable), attempt,
    priority (0 to 3), created_at, changed_at, reason.
    """
    form = read_format(output, as_json)
    wanted = read_filter("task", statuses=statuses, capabilities=capabilities, nodes=names, labels=labels)

    async def work(swarm: "Swarm") -> int:
        from ...swarm.look import look_around

        around = await look_around(swarm)
        rows = await _read(swarm, around, wanted, request_id, None if everything else limit)
        listing(around.now).show(rows, form)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw get")


async def _read(
    swarm: "Swarm", around: "Around", wanted: "Filter", request_id: str | None, most: int | None
) -> list["TaskRow"]:
    """Return the rows that are wanted, `most` at most, and read no more requests than that takes."""
    from ...swarm.look import list_requests, read_requests
    from ...swarm.resolve import resolve
    from ...swarm.views.filters import Filter
    from ...swarm.views.requests import task_rows

    # Without a filter a request of 50,000 tasks need not be turned into rows for the first 50.
    each = most if wanted == Filter() else None
    if request_id is not None:
        state = (await resolve(swarm, request_id)).state
        return [row for row in task_rows(state, around, each) if wanted.task(row)][:most]
    rows: list[TaskRow] = []
    listed = await list_requests(swarm)
    first = AT_FIRST if most is not None else len(listed)
    for part in (listed[:first], listed[first:]):
        if most is None or len(rows) < most:
            for state in await read_requests(swarm, part):
                rows += [row for row in task_rows(state, around, each) if wanted.task(row)]
    return rows[:most]


def asked_for(demand: str, does: str) -> str:
    """Return what a task asks for, in klaw's column: an agent by its name, else its demand."""
    from ...swarm.demand import AGENT_PREFIX

    said = demand.removeprefix(AGENT_PREFIX) or "-"
    return safe(f"{does} at {said}" if does else said, NAME)


def listing(now: float) -> Listing["TaskRow"]:
    """Return how tasks are printed at a server time."""
    first: tuple[tuple[str, Callable[[TaskRow], str]], ...] = (
        ("ID", lambda row: safe(row.id)),
        ("AGENT", lambda row: asked_for(row.capability, row.does)),
        ("NODE", lambda row: safe(row.node, NAME) or "-"),
        ("STATUS", shown_status),
        ("CREATED", lambda row: f"{age(now - row.created_at)} ago"),
    )
    return Listing(
        columns=first,
        wide=(
            *first,
            ("CHANGED", lambda row: f"{age(now - row.changed_at)} ago"),
            ("ATTEMPT", lambda row: str(row.attempt or "-")),
            ("PRIORITY", lambda row: PRIORITIES.get(row.priority, str(row.priority))),
            ("REASON", lambda row: safe(row.reason, 300) or "-"),
        ),
        name=lambda row: safe(row.id),
        form=task_json,
        empty="no tasks",
    )
