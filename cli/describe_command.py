"""`picoclaw describe request|task|node`: everything about one thing, its history and why it waits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .aliases import AliasGroup
from .flags import connection_flags, load_settings
from .get_command import json_flag, node_json, request_json, task_json
from .output import age, echo, echo_json, echo_table, iso, safe, stamp

if TYPE_CHECKING:
    from ..swarm.records import RepositoryRef
    from ..swarm.resolve import Found
    from ..swarm.swarm import Swarm
    from ..swarm.views.history import HistoryRow
    from ..swarm.views.nodes import Around, NodeRow
    from ..swarm.views.requests import RequestState

PRIORITIES = {0: "low", 1: "normal", 2: "high", 3: "critical"}
TEXT = 400
"""Characters of a request's text that are shown; --json has it whole."""
REASON = 300


@click.group(cls=AliasGroup, aliases={"requests": "request", "tasks": "task", "nodes": "node"})
def describe() -> None:
    """Show one request, task or node with its whole history, and why it waits."""


@describe.command(short_help="A request: its tasks, its history, why it waits.")
@click.argument("id")
@json_flag
@connection_flags
@click.pass_context
def request(ctx: click.Context, id: str, as_json: bool) -> int:
    """Show a request: its tasks, its history, and why it waits.

    ID is an id such as r-k3pq…, or a beginning of one that fits no other. A task's id shows the task.

    \b
    --json: an object with request (as `get requests --json`), tasks (as `get
    tasks --json`) and history: objects with at, seq, step (empty: the request),
    what, attempt, node, by, reason.
    """
    return _run(ctx, id, as_json)


@describe.command(short_help="A task: its history, its place in the lane, why it waits.")
@click.argument("id")
@json_flag
@connection_flags
@click.pass_context
def task(ctx: click.Context, id: str, as_json: bool) -> int:
    """Show a task: its history, its place in the lane, and why it waits.

    ID is an id such as r-k3pq….security; its request may be shortened as long as it fits no other,
    and the step left out where there is only one.

    \b
    --json: an object with task (as `get tasks --json`), after (upstream steps),
    lane (position, waiting, in_flight; null unless it is queued), max_attempts,
    timeout_s, unroutable (the policy), not_before, and history as for a request.
    """
    return _run(ctx, id, as_json, task_wanted=True)


@describe.command(short_help="A node: what it offers and what it holds.")
@click.argument("name")
@json_flag
@connection_flags
@click.pass_context
def node(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show a node: what it offers, what it holds, and why it is not online.

    --json: as one object of `get nodes --json`.
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.look import look_around
        from ..swarm.resolve import the_one

        nodes = {row.name: row for row in (await look_around(swarm)).nodes}
        row = nodes[the_one(name, nodes, "node", hint="see `picoclaw get nodes`")]
        if as_json:
            echo_json(node_json(row))
        else:
            _print_node(row)
        return 0

    return _session(ctx, work)


def _run(ctx: click.Context, id: str, as_json: bool, *, task_wanted: bool = False) -> int:
    async def work(swarm: "Swarm") -> int:
        from ..errors import UsageError
        from ..swarm.look import look_around
        from ..swarm.resolve import resolve

        found = await resolve(swarm, id)
        around = await look_around(swarm)
        steps = list(found.state.tasks())
        if task_wanted and found.step is None and len(steps) == 1:
            found = replace(found, step=steps[0])
        if found.step is not None:
            await _task(swarm, found, around, as_json)
        elif task_wanted:
            named = ", ".join(steps[:5]) or "none yet"
            raise UsageError(
                f"{found.id} is a request, and a task's id is {found.id}.STEP (its steps: {named}); "
                f"`picoclaw describe request {found.id}` shows the request"
            )
        else:
            await _request(swarm, found.state, around, as_json)
        return 0

    return _session(ctx, work)


def _session(ctx: click.Context, work: Any) -> int:
    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw describe")


async def _history(swarm: "Swarm", request: str, step: str | None) -> list["HistoryRow"]:
    from ..swarm.log import decode
    from ..swarm.subjects import REQUEST_STEP, split_log_subject
    from ..swarm.views.history import history_row

    rows = []
    async for followed in swarm.log.history(request, step):
        _, of = split_log_subject(followed.subject)
        named = "" if of == REQUEST_STEP else of
        rows.append(history_row(decode(followed), seq=followed.seq, at=followed.at, step=named))
    return rows


async def _request(swarm: "Swarm", state: "RequestState", around: "Around", as_json: bool) -> None:
    from ..swarm.views.requests import request_row, task_rows

    row, tasks = request_row(state, around), task_rows(state, around)
    history = await _history(swarm, state.id, None)
    if as_json:
        echo_json(
            {
                "request": request_json(row),
                "tasks": [task_json(task) for task in tasks],
                "history": [_history_json(entry) for entry in history],
            }
        )
        return
    asked = state.request
    _print_fields(
        ("ID", row.id),
        ("Text", safe(row.text, TEXT)),
        ("Status", row.status),
        ("Reason", safe(row.reason, REASON)),
        ("Tasks", f"{row.done} of {'?' if row.total is None else row.total} ended"),
        ("Owner", safe(row.owner)),
        ("Priority", PRIORITIES.get(row.priority, str(row.priority))),
        ("Created", f"{stamp(row.created_at)} ({age(around.now - row.created_at)} ago)"),
        ("Sender", safe(asked.sender) if asked else ""),
        ("Repository", _repository(asked.repository) if asked else ""),
        ("Template", safe((state.plan.template if state.plan else None) or "")),
        ("Deadline", f"{asked.deadline_s:g} s after it was accepted" if asked and asked.deadline_s else ""),
    )
    if tasks:
        echo("\nTasks:")
        echo_table(
            ("  STEP", "CAPABILITY", "NODE", "STATUS", "ATTEMPT", "AGE", "REASON"),
            (
                (
                    f"  {safe(one.step)}",
                    safe(one.capability, 60) or "-",
                    safe(one.node, 60) or "-",
                    one.status,
                    str(one.attempt or "-"),
                    age(around.now - one.changed_at),
                    safe(one.reason, REASON),
                )
                for one in tasks
            ),
        )
    _print_history(history, steps=True)
    if row.state == "done":
        echo(f"\nIts report: picoclaw result {row.id}")


async def _task(swarm: "Swarm", found: "Found", around: "Around", as_json: bool) -> None:
    from ..swarm.look import place_in_lane
    from ..swarm.views.requests import task_row

    state, step = found.state, found.step
    assert step is not None
    head, planned = state.heads.get(step), state.tasks()[step]
    queued = head is not None and head.state == "queued"
    place = await place_in_lane(swarm, state.id, step, head) if head is not None and queued else None
    row = task_row(state, step, planned, around, place)
    history = await _history(swarm, state.id, step)
    not_before = head.not_before if head is not None and queued else None
    if as_json:
        lane = None
        if place is not None:
            lane = {"position": place.position, "waiting": place.waiting, "in_flight": place.in_flight}
        echo_json(
            {
                "task": task_json(row),
                "after": list(planned.after) if planned else [],
                "lane": lane,
                "max_attempts": planned.max_attempts if planned else None,
                "timeout_s": planned.timeout_s if planned else None,
                "unroutable": planned.unroutable if planned else None,
                "not_before": iso(not_before) if not_before else None,
                "history": [_history_json(entry) for entry in history],
            }
        )
        return
    limit = f" of {planned.max_attempts}" if planned else ""
    place_text = ""
    if place is not None:
        where = f"place {place.position} of {place.waiting}" if place.position else f"{place.waiting} waiting"
        place_text = f"{row.capability}: {where}, {place.in_flight} in flight"
    _print_fields(
        ("ID", row.id),
        ("Title", safe(row.title, TEXT)),
        ("Capability", safe(row.capability, TEXT)),
        ("Status", row.status),
        ("Reason", safe(row.reason, REASON)),
        ("Node", safe(row.node)),
        ("Attempt", f"{row.attempt}{limit}" if row.attempt else ""),
        ("After", safe(", ".join(planned.after), TEXT) if planned else ""),
        ("Lane", safe(place_text)),
        ("Not before", stamp(not_before) if not_before else ""),
        ("Timeout", f"{planned.timeout_s:g} s for each attempt" if planned and planned.timeout_s else ""),
        ("If unserved", planned.unroutable if planned else ""),
        ("Changed", f"{stamp(row.changed_at)} ({age(around.now - row.changed_at)} ago)"),
    )
    _print_history(history, steps=False)
    if row.state == "done":
        echo(f"\nIts result: picoclaw result {row.id}")


def _print_node(row: "NodeRow") -> None:
    labels = ", ".join(f"{key}={value}" for key, value in row.labels.items())
    _print_fields(
        ("Name", safe(row.name)),
        ("Role", safe(row.role)),
        ("Status", f"{row.status}: {row.why}" if row.why else row.status),
        ("Capabilities", safe(", ".join([*row.capabilities, *row.marks]))),
        ("Generalist", "yes: it takes what this machine can serve, after those that name it"),
        ("Labels", safe(labels)),
        ("Agents", safe(", ".join(row.agents))),
        ("Slots", f"{row.used} of {row.slots} used"),
        ("Last heartbeat", f"{age(row.heard_s)} ago"),
        ("Uptime", age(row.uptime_s)),
        ("Host", safe(f"{row.host}, pid {row.pid}")),
        ("Version", safe(row.version)),
        ("Session", safe(row.sid)),
        skip=() if row.general else ("Generalist",),
    )
    for name, why in row.not_ready.items():
        echo(f"Not ready:       {safe(name)}: {safe(why, REASON)}")
    if row.tasks:
        echo("\nTasks:")
        for held in row.tasks:
            echo(f"  {safe(held)}")


def _print_fields(*fields: tuple[str, str], skip: Sequence[str] = ()) -> None:
    shown = [(name, value) for name, value in fields if value and name not in skip]
    width = max(len(name) for name, _ in shown) + 1
    for name, value in shown:
        echo(f"{name + ':':<{max(width, 16)}} {value}")


def _print_history(history: Sequence["HistoryRow"], *, steps: bool) -> None:
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
            safe(entry.node, 60) or "-",
            safe(entry.by, 60) or "-",
            safe(entry.reason, REASON),
        ]
        rows.append(cells)
    echo_table(columns, rows)


def _history_json(entry: "HistoryRow") -> dict[str, Any]:
    return {
        "at": iso(entry.at),
        "seq": entry.seq,
        "step": entry.step,
        "what": entry.what,
        "attempt": entry.attempt,
        "node": entry.node,
        "by": entry.by,
        "reason": entry.reason,
    }


def _repository(ref: "RepositoryRef | None") -> str:
    if ref is None:
        return ""
    from ..config.urls import redact_url

    label = ref.label or redact_url(ref.url or "")
    return safe(f"{label} at {ref.commit[:12]}" if ref.commit else label, TEXT)
