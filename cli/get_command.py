"""`picoclaw get nodes|tasks|requests`: lists."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .aliases import AliasGroup
from .flags import connection_flags, load_settings
from .output import age, echo_json, echo_table, iso, safe

if TYPE_CHECKING:
    from ..swarm.swarm import Swarm
    from ..swarm.views.nodes import NodeRow
    from ..swarm.views.requests import RequestRow, TaskRow

LIMIT = 50
TEXT = 60
"""Characters of free text in a column."""

json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=AliasGroup, aliases={"node": "nodes", "task": "tasks", "request": "requests"})
def get() -> None:
    """List nodes, tasks or requests."""


@get.command(short_help="The nodes, what they offer and how busy they are.")
@json_flag
@connection_flags
@click.pass_context
def nodes(ctx: click.Context, as_json: bool) -> int:
    """List the nodes with what they offer and how many tasks they hold.

    Each is asked once whether it is still there. A node that left or fell silent stays on the list
    for up to 10 minutes.

    \b
    --json: a list of objects with name, role, status (online, busy, suspicious,
    offline, draining), why, capabilities, marks, general, not_ready, labels,
    agents, tasks (ids), used, slots, last_heartbeat_s, uptime_s, host, pid,
    version, run, sid.
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.look import look_around

        around = await look_around(swarm)
        if as_json:
            echo_json([node_json(row) for row in around.nodes])
        else:
            echo_table(
                ("NAME", "ROLE", "STATUS", "CAPABILITIES", "TASKS", "LAST HEARTBEAT"),
                map(_node_line, around.nodes),
                empty="no nodes: start one, for example `picoclaw --swarm.role worker`",
            )
        return 0

    return _run(ctx, work)


@get.command(short_help="Tasks, those of the newest request first.")
@click.option("--request", "request_id", metavar="ID", help="Only the tasks of one request.")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@json_flag
@connection_flags
@click.pass_context
def tasks(ctx: click.Context, request_id: str | None, limit: int, everything: bool, as_json: bool) -> int:
    """List tasks, those of the newest request first, each request's in the order of its plan.

    AGE is the time since the task's last change.

    \b
    --json: a list of objects with id, request, step, title, capability, node,
    state (planned, queued, running, done, failed, cancelled, dead), status (as
    state, or unroutable), attempt, changed_at, reason.
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.look import list_requests, look_around, read_requests
        from ..swarm.resolve import resolve
        from ..swarm.views.requests import task_rows

        around = await look_around(swarm)
        most = None if everything else limit
        rows: list[TaskRow] = []
        if request_id is not None:
            rows = task_rows((await resolve(swarm, request_id)).state, around, most)
        else:
            listed = await list_requests(swarm)
            several = len(listed) if most is None else LIMIT
            for start in range(0, len(listed), several or 1):
                for state in await read_requests(swarm, listed[start : start + several]):
                    rows += task_rows(state, around, most)
                if most is not None and len(rows) >= most:
                    break
        rows = rows[:most]
        if as_json:
            echo_json([task_json(row) for row in rows])
        else:
            echo_table(
                ("ID", "CAPABILITY", "NODE", "STATUS", "ATTEMPT", "AGE"),
                (_task_line(row, around.now) for row in rows),
                empty="no tasks",
            )
        return 0

    return _run(ctx, work)


@get.command(short_help="Requests, newest first.")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@json_flag
@connection_flags
@click.pass_context
def requests(ctx: click.Context, limit: int, everything: bool, as_json: bool) -> int:
    """List requests, newest first; what no coordinator has taken yet is `queued`.

    \b
    --json: a list of objects with id, state (queued, running, done, failed,
    cancelled), status (as state, or cancelling, or done(partial)), done, total
    (null until it is planned), owner, priority, created_at, changed_at, reason,
    text.
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.look import list_requests, look_around, read_requests
        from ..swarm.views.requests import request_row

        around = await look_around(swarm)
        listed = await list_requests(swarm)
        states = await read_requests(swarm, listed if everything else listed[:limit])
        rows = [request_row(state, around) for state in states]
        if as_json:
            echo_json([request_json(row) for row in rows])
            return 0
        echo_table(
            ("ID", "STATUS", "TASKS", "OWNER", "CREATED", "TEXT"),
            (_request_line(row, around.now) for row in rows),
            empty="no requests: send one with `picoclaw dispatch`",
        )
        if len(listed) > len(rows) and not everything:
            click.echo(f"{len(listed) - len(rows)} more: add --all or --limit", err=True)
        return 0

    return _run(ctx, work)


def _run(ctx: click.Context, work: Any) -> int:
    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw get")


def _node_line(row: "NodeRow") -> Sequence[str]:
    able = [*row.capabilities, *(row.marks if not row.capabilities else ())]
    able += [f"{name} (not ready)" for name in row.not_ready]
    return [
        safe(row.name, TEXT),
        safe(row.role),
        row.status,
        safe(",".join(able)) or "-",
        f"{row.used}/{row.slots}",
        f"{age(row.heard_s)} ago",
    ]


def _task_line(row: "TaskRow", now: float) -> Sequence[str]:
    return [
        safe(row.id),
        safe(row.capability, TEXT) or "-",
        safe(row.node, TEXT) or "-",
        row.status,
        str(row.attempt or "-"),
        age(now - row.changed_at),
    ]


def _request_line(row: "RequestRow", now: float) -> Sequence[str]:
    return [
        safe(row.id),
        row.status,
        f"{row.done}/{'?' if row.total is None else row.total}",
        safe(row.owner, TEXT) or "-",
        f"{age(now - row.created_at)} ago",
        safe(row.text, TEXT),
    ]


def node_json(row: "NodeRow") -> dict[str, Any]:
    """Return a node's stable JSON form."""
    return {
        "name": row.name,
        "role": row.role,
        "status": row.status,
        "why": row.why,
        "capabilities": list(row.capabilities),
        "marks": list(row.marks),
        "general": row.general,
        "not_ready": dict(row.not_ready),
        "labels": dict(row.labels),
        "agents": list(row.agents),
        "tasks": list(row.tasks),
        "used": row.used,
        "slots": row.slots,
        "last_heartbeat_s": round(row.heard_s, 3),
        "uptime_s": round(row.uptime_s, 3),
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "run": row.run,
        "sid": row.sid,
    }


def task_json(row: "TaskRow") -> dict[str, Any]:
    """Return a task's stable JSON form."""
    return {
        "id": row.id,
        "request": row.request,
        "step": row.step,
        "title": row.title,
        "capability": row.capability,
        "node": row.node,
        "state": row.state,
        "status": row.status,
        "attempt": row.attempt,
        "changed_at": iso(row.changed_at),
        "reason": row.reason,
    }


def request_json(row: "RequestRow") -> dict[str, Any]:
    """Return a request's stable JSON form."""
    return {
        "id": row.id,
        "state": row.state,
        "status": row.status,
        "done": row.done,
        "total": row.total,
        "owner": row.owner,
        "priority": row.priority,
        "created_at": iso(row.created_at),
        "changed_at": iso(row.changed_at),
        "reason": row.reason,
        "text": row.text,
    }
