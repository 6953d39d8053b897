"""`picoclaw health`: whether this machine's nodes are well, for the health checks of those who run them."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ..errors import SwarmError

if TYPE_CHECKING:
    from pathlib import Path

    from ..swarm.embedded.health import Health


@click.command(
    epilog="""\b
Examples:
  picoclaw health            liveness: restart the node when this fails
  picoclaw health --ready    readiness: the node takes part in its swarm
  picoclaw health --json     what each node said of itself

\b
Exit codes: 0 well, 1 unwell, 2 wrong usage.
"""
)
@click.option("--ready", is_flag=True, help="Also fail unless each has joined, is connected and beats.")
@click.option("--node", metavar="NAME", help="Ask after this node of the machine only.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def health(ready: bool, node: str | None, as_json: bool) -> int:
    """Tell whether this machine's nodes are well: exit code 0, or 1 and why not.

    It reads what the nodes of this user wrote down, and speaks to no server. Without --ready only
    a node whose event loop is stuck is unwell: one that lost NATS comes back by itself.
    """
    from ..swarm.embedded.health import cannot_be_written, now, read_health
    from ..swarm.embedded.rundir import picoclaw_home, run_dir

    run = run_dir(picoclaw_home())
    nodes = [found for found in read_health(run) if node in (None, found.node)]
    moment = now()
    problems = _problems(nodes, moment, ready=ready)
    why = next((f"{_title(found)}: {problem}" for found, problem in problems if problem), None)
    if not nodes:
        why = _nobody(node, run)
    unsure = cannot_be_written(run) if why else None
    if unsure is not None:
        why = (
            f"{why}; {run} cannot be written ({unsure}), so this may be old: free space, or make it writable"
        )
    # A disk that takes nothing proves nothing against a node, and a restart would not mend it.
    well = why is None or (unsure is not None and not ready)
    if as_json:
        _print_json(problems, moment, well=well, why=why)
    elif not well:
        raise SwarmError(why or "")
    elif why is not None:
        click.echo(f"unknown: {why}")
    else:
        _print_lines(nodes, moment)
    return 0 if well else 1


def _problems(nodes: "list[Health]", moment: float, *, ready: bool) -> "list[tuple[Health, str | None]]":
    return [(found, found.why_not_ready(moment) if ready else found.why_not_alive(moment)) for found in nodes]


def _nobody(node: str | None, run: "Path") -> str:
    if node is not None:
        return (
            f"no node called {node!r} of this user runs on this machine ({run}): `picoclaw health` lists them"
        )
    return (
        f"no node of this user runs on this machine ({run}): start one, for example "
        "`picoclaw --swarm.role worker`, or set HOME to the home directory of the user who did"
    )


def _title(found: "Health") -> str:
    return f"{found.node} ({found.role}, pid {found.pid})"


def _state(found: "Health", moment: float) -> str:
    connection = "connected" if found.connected else "not connected to NATS"
    beat = (
        "no heartbeat stored yet" if found.beat_at is None else f"heartbeat {moment - found.beat_at:.0f}s ago"
    )
    return f"{found.phase}, {connection}, {beat}"


def _print_lines(nodes: "list[Health]", moment: float) -> None:
    from .printing.output import echo

    for found in nodes:
        echo(f"{_title(found)}: {_state(found, moment)}")


def _print_json(
    problems: "list[tuple[Health, str | None]]", moment: float, *, well: bool, why: str | None
) -> None:
    from .printing.output import echo_json

    rows = []
    for found, problem in problems:
        row = asdict(found)
        del row["here"]
        turned, beat = row.pop("turned_at"), row.pop("beat_at")
        row["turned_s_ago"] = round(moment - turned, 3)
        row["beat_s_ago"] = None if beat is None else round(moment - beat, 3)
        row["alive"] = found.why_not_alive(moment) is None
        row["ready"] = found.why_not_ready(moment) is None
        row["problem"] = problem
        rows.append(row)
    echo_json({"well": well, "why": why, "nodes": rows})
