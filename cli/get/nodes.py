"""`picoclaw get nodes`."""

from typing import TYPE_CHECKING

import click

from ..flags import connection_flags, load_settings
from ..printing.formats import Format, Listing, format_flags, read_format
from ..printing.forms import node_json
from ..printing.output import age, safe
from .filters import capability_flag, label_flag, node_flag, read_filter, role_flag, status_flag

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm
    from ...swarm.views.nodes import NodeRow

NAME = 60
"""Characters of a name in a column."""

EPILOG = """\b
Examples:
  picoclaw get nodes
  picoclaw get nodes -o wide
  picoclaw get nodes --capability security --status online
  picoclaw get nodes -l gpu=yes -o name

\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage, 3 no
connection.
"""


@click.command(epilog=EPILOG, short_help="The nodes, what they offer and how busy they are.")
@status_flag
@capability_flag
@role_flag
@node_flag("Only the node of this name.")
@label_flag
@format_flags
@connection_flags
@click.pass_context
def nodes(
    ctx: click.Context,
    statuses: tuple[str, ...],
    capabilities: tuple[str, ...],
    roles: tuple[str, ...],
    names: tuple[str, ...],
    labels: tuple[str, ...],
    output: Format | None,
    as_json: bool,
) -> int:
    """List the nodes, what they offer and how many tasks they hold.

    AGENTS counts the agents and the ready capabilities by which a node takes tasks; -o wide names
    them. Each node is asked once whether it is still there. A node that left or fell silent stays on
    the list for up to 10 minutes. A worker that took the coordinator's role, as none was alive,
    has the role `worker,leads`.

    \b
    --json: a list of objects with name, role, status (online, busy, suspicious,
    offline, draining), why, capabilities, marks, general, not_ready, labels,
    agents, tasks (ids), used, slots, last_heartbeat_s, uptime_s, host, pid,
    version, run, sid, leads (it coordinates, by role or promoted), promotable,
    sandbox (bubblewrap, none, or null: it runs no commands of agents), optional
    (agent: why it is not ready).
    """
    form = read_format(output, as_json)
    wanted = read_filter(
        "node", statuses=statuses, capabilities=capabilities, roles=roles, nodes=names, labels=labels
    )

    async def work(swarm: "Swarm") -> int:
        from ...swarm.look import look_around

        around = await look_around(swarm)
        LISTING.show([row for row in around.nodes if wanted.node(row)], form)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw get")


def _able(row: "NodeRow") -> str:
    able = [*row.capabilities, *(row.marks if not row.capabilities else ())]
    able += [f"agent:{name}" for name in row.agents]
    able += [f"{name} (not ready)" for name in row.not_ready]
    return safe(",".join(able)) or "-"


def _labels(row: "NodeRow") -> str:
    return safe(",".join(f"{key}={value}" for key, value in row.labels.items()), NAME) or "-"


LISTING: Listing["NodeRow"] = Listing(
    columns=(
        ("NAME", lambda row: safe(row.name, NAME)),
        ("STATUS", lambda row: row.status),
        ("AGENTS", lambda row: str(len(row.agents) + len(row.capabilities))),
        ("TASKS", lambda row: str(row.used)),
        ("LAST HEARTBEAT", lambda row: f"{age(row.heard_s)} ago"),
    ),
    wide=(
        ("NAME", lambda row: safe(row.name, NAME)),
        ("STATUS", lambda row: row.status),
        ("AGENTS", lambda row: str(len(row.agents) + len(row.capabilities))),
        ("TASKS", lambda row: str(row.used)),
        ("LAST HEARTBEAT", lambda row: f"{age(row.heard_s)} ago"),
        ("ROLE", lambda row: safe(row.role) + (",leads" if row.promoted else "")),
        ("SLOTS", lambda row: str(row.slots)),
        ("UPTIME", lambda row: age(row.uptime_s)),
        ("HOST", lambda row: safe(row.host, NAME)),
        ("VERSION", lambda row: safe(row.version)),
        ("LABELS", _labels),
        ("CAPABILITIES", _able),
    ),
    name=lambda row: safe(row.name),
    form=node_json,
    empty="no nodes: start one, for example `picoclaw --swarm.role worker`",
)
