"""A task: its history, its place in the lane, why it waits, and which nodes come near."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..printing.forms import PRIORITIES, history_json, shown_status, task_json
from ..printing.output import age, echo, echo_json, echo_table, iso, safe, stamp
from .fields import NAME, REASON, TEXT, print_fields, print_history

if TYPE_CHECKING:
    from ...swarm.resolve import Found
    from ...swarm.swarm import Swarm
    from ...swarm.views.near import NearRow
    from ...swarm.views.nodes import Around

NEAR = 10
"""Nodes listed at most; --json has them all."""


async def describe_task(swarm: "Swarm", found: "Found", around: "Around", as_json: bool) -> None:
    """Print everything about a task."""
    from ...gateway.results import read_history
    from ...gateway.spending import spent_json, spent_words, task_spent
    from ...swarm.look import place_in_lane
    from ...swarm.views.near import near_rows
    from ...swarm.views.requests import task_row

    state, step = found.state, found.step
    assert step is not None
    head, planned = state.heads.get(step), state.tasks()[step]
    queued = head is not None and head.state == "queued"
    place = await place_in_lane(swarm, state.id, step, head) if head is not None and queued else None
    row = task_row(state, step, planned, around, place)
    history = await read_history(swarm, state.id, step)
    spent = await task_spent(swarm, state.id, step)
    not_before = head.not_before if head is not None and queued else None
    near = near_rows(row.capability, around) if row.state in ("planned", "queued") else []
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
                "nodes": [_near_json(one) for one in near],
                "spent": spent_json(spent),
                "history": [history_json(entry) for entry in history],
            }
        )
        return
    limit = f" of {planned.max_attempts}" if planned else ""
    place_text = ""
    if place is not None:
        where = f"place {place.position} of {place.waiting}" if place.position else f"{place.waiting} waiting"
        place_text = f"{row.capability}: {where}, {place.in_flight} in flight"
    print_fields(
        ("ID", row.id),
        ("Title", safe(row.title, TEXT)),
        ("Capability", safe(row.capability, TEXT)),
        ("To be done by", safe(row.does)),
        ("Status", shown_status(row)),
        ("Reason", safe(row.reason, REASON)),
        ("Node", safe(row.node)),
        ("Attempt", f"{row.attempt}{limit}" if row.attempt else ""),
        ("Priority", PRIORITIES.get(row.priority, str(row.priority))),
        ("Spent", spent_words(spent)),
        ("After", safe(", ".join(planned.after), TEXT) if planned else ""),
        ("Lane", safe(place_text)),
        ("Not before", stamp(not_before) if not_before else ""),
        ("Timeout", f"{planned.timeout_s:g} s for each attempt" if planned and planned.timeout_s else ""),
        ("If unserved", planned.unroutable if planned else ""),
        ("Changed", f"{stamp(row.changed_at)} ({age(around.now - row.changed_at)} ago)"),
    )
    _print_near(near)
    print_history(history, steps=False)
    if row.state == "done":
        echo(f"\nWhat it brought: picoclaw result {row.id}")


def _print_near(near: Sequence["NearRow"]) -> None:
    if not near:
        return
    echo("\nNodes, the nearest first:")
    echo_table(
        ("  NODE", "STATUS", "FREE", "LACKS"),
        (
            (
                f"  {safe(one.node, NAME)}",
                one.status,
                f"{one.free}/{one.slots}",
                safe("; ".join(one.lacks), REASON) or "nothing: it serves this task",
            )
            for one in near[:NEAR]
        ),
    )
    if len(near) > NEAR:
        echo(f"  … and {len(near) - NEAR} more")


def _near_json(one: "NearRow") -> dict[str, Any]:
    return {
        "node": one.node,
        "status": one.status,
        "free": one.free,
        "slots": one.slots,
        "lacks": list(one.lacks),
    }
