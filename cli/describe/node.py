"""A node: what it offers, what it holds, what it has ended."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..printing.forms import node_json
from ..printing.output import age, echo, echo_json, echo_table, iso, safe
from .fields import REASON, print_fields

if TYPE_CHECKING:
    from ...swarm.look_ended import EndedTask
    from ...swarm.swarm import Swarm
    from ...swarm.views.nodes import Around, NodeRow

SANDBOXES = {
    "bubblewrap": "bubblewrap: commands of agents see their workspace and the system",
    "none": "none: commands of agents reach all that the node's user can",
}
RECENT = 10
"""Ended tasks that are listed."""


async def _models(swarm: "Swarm", agents: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the agents, each with its models as the registry has them; none: that of the node."""
    from ...swarm.agents.store import list_agents

    registered = {one.record.name: one.record.models for one in await list_agents(swarm)}
    return {agent: tuple(registered.get(agent, ())) for agent in agents}


async def describe_node(swarm: "Swarm", row: "NodeRow", around: "Around", as_json: bool) -> None:
    """Print everything about a node."""
    from ...swarm.look_ended import ended_on

    ended = await ended_on(swarm, row.name)
    if as_json:
        recent = [
            {"id": task.id, "state": task.state, "at": iso(task.at), "said": task.said}
            for task in ended[:RECENT]
        ]
        echo_json({**node_json(row), "completed": _completed(ended), "ended": len(ended), "recent": recent})
        return
    labels = ", ".join(f"{key}={value}" for key, value in row.labels.items())
    failed = len(ended) - _completed(ended)
    print_fields(
        ("Name", safe(row.name)),
        (
            "Role",
            safe(row.role)
            + (", leads: it was promoted, as no coordinator was alive" if row.promoted else ""),
        ),
        ("Status", f"{row.status}: {row.why}" if row.why else row.status),
        ("Address", safe(f"{row.host}, pid {row.pid}")),
        ("Connected", iso(around.now - row.uptime_s) if row.status != "offline" else ""),
        ("Capabilities", safe(", ".join([*row.capabilities, *row.marks]))),
        ("Generalist", "yes: it takes what this machine can serve, after those that name it"),
        ("Labels", safe(labels)),
        ("Sandbox", SANDBOXES.get(row.sandbox or "", safe(row.sandbox or ""))),
        ("Slots", f"{row.used} of {row.slots} used"),
        ("Last heartbeat", f"{age(row.heard_s)} ago"),
        ("Uptime", age(row.uptime_s)),
        ("Version", safe(row.version)),
        ("Session", safe(row.sid)),
        ("Active Tasks", str(row.used)),
        ("Completed Tasks", f"{_completed(ended)}" + (f" ({failed} more failed)" if failed else "")),
        skip=() if row.general else ("Generalist",),
    )
    for name, why in row.not_ready.items():
        echo(f"Not ready:       {safe(name)}: {safe(why, REASON)}")
    for name, why in sorted(row.optional.items()):
        echo(f"Optional:        agent {safe(name)}: {safe(why, REASON)}")
    if row.agents:
        echo("\nAgents:")
        for agent, models in (await _models(swarm, row.agents)).items():
            echo(f"  - {safe(agent)}" + (f" ({safe(', '.join(models))})" if models else ""))
    if row.tasks:
        echo("\nTasks:")
        for held in row.tasks:
            echo(f"  {safe(held)}")
    if ended:
        echo("\nEnded last:")
        echo_table(
            ("  ID", "STATUS", "AGE", "SAID"),
            (
                (
                    f"  {safe(task.id)}",
                    task.state,
                    f"{age(around.now - task.at)} ago",
                    safe(task.said, REASON),
                )
                for task in ended[:RECENT]
            ),
        )


def _completed(ended: Sequence["EndedTask"]) -> int:
    return sum(1 for task in ended if task.state == "done")
