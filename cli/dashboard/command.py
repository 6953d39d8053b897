"""`picoclaw --swarm.dashboard`: the swarm's status, once or as it changes."""

import os
import sys
from typing import TYPE_CHECKING, Any

from ..errors import echo_warning
from ..printing.output import STYLES, colours, echo, echo_json
from ..session import run_session
from .panel import panel_text, plain

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...swarm.swarm import Swarm
    from ...swarm.views.dashboard import Connection, Panel
    from ...swarm.views.nodes import Around, NodeRow

NONE_HERE = (
    "none: no node of this user runs on this machine; start one with `picoclaw --swarm.role worker`, "
    "or name another with --node"
)


def show(loaded: "Loaded", once: bool, as_json: bool, node: str | None) -> int:
    """Print the panel: once, as JSON, or at a terminal in place until `q` or Ctrl-C.

    `node` is the one to show as this node; else it is the node of this machine that has run longest.
    Raises what connecting raises (at a terminal only what waiting cannot cure), NotFound and Ambiguous.
    """
    at_terminal = sys.stdout.isatty() and not once and not as_json
    if at_terminal and os.environ.get("TERM", "dumb") != "dumb":
        from .live import show_live

        return show_live(loaded, node)
    if at_terminal:
        echo_warning("this terminal cannot be drawn on (TERM is dumb or not set): shown once")

    async def work(swarm: "Swarm") -> int:
        panel = await look(swarm, loaded, node)
        if as_json:
            echo_json(panel_json(panel))
        else:
            echo(panel_text(panel, paint=painter(), none_here=NONE_HERE))
        return 0

    return run_session(loaded, work, name="picoclaw dashboard")


async def look(swarm: "Swarm", loaded: "Loaded", node: str | None) -> "Panel":
    """Return the panel as things stand now."""
    from ...config.urls import redact_url
    from ...swarm.look import look_around

    around = await look_around(swarm)
    url = swarm.client.connected_url
    address = redact_url(url.geturl()) if url is not None else ""
    return make_panel(loaded, around, chosen(around, node), address=address, connected=True)


def make_panel(
    loaded: "Loaded", around: "Around", this: "NodeRow | None", *, address: str, connected: bool
) -> "Panel":
    """Return the panel of a look; `address` is the server's, without credentials."""
    from ...swarm.views.dashboard import Connection, Panel, statistics

    return Panel(
        this=this,
        nats=Connection(ok=connected, detail=address),
        temporal=_temporal(loaded),
        statistics=statistics(around.nodes),
        nodes=around.nodes,
    )


def chosen(around: "Around", node: str | None) -> "NodeRow | None":
    """Return the node that `node` names or begins, else the one of this machine that has run longest.

    None where none of this machine is in the swarm. Raises NotFound and Ambiguous.
    """
    from ...swarm.embedded.rundir import live_nodes, picoclaw_home, run_dir
    from ...swarm.resolve import the_one
    from ...swarm.views.dashboard import this_node

    if node is None:
        here = {(entry.name, entry.pid) for entry in live_nodes(run_dir(picoclaw_home()))}
        return this_node(around.nodes, here)
    names = {row.name: row for row in around.nodes}
    return names[the_one(node, names, "node", hint="see `picoclaw get nodes`")]


def _temporal(loaded: "Loaded") -> "Connection":
    from ...config.urls import redact_url
    from ...swarm.views.dashboard import Connection

    address = loaded.settings.swarm.temporal.address
    if not address:
        return Connection(ok=False, detail="(not configured)")
    return Connection(ok=False, detail=f"{redact_url(address)} (workflows disabled)")


def painter() -> Any:
    """Return what colours a text by its status; nothing where nobody looks or no colour is wanted."""
    import click

    if not colours():
        return plain
    return lambda text, status: click.style(text, fg=STYLES.get(status))


def panel_json(panel: "Panel") -> dict[str, Any]:
    """Return the panel's stable JSON form.

    `node` (null where none of this machine is in the swarm) and `nodes` hold objects as
    `picoclaw get nodes --json` does; `connections` has `nats` and `temporal` with `ok` and `detail`;
    `statistics` has total, online, offline, coordinators, workers, specialists, used, slots.
    """
    from dataclasses import asdict

    from ..printing.forms import node_json

    return {
        "node": node_json(panel.this) if panel.this is not None else None,
        "connections": {"nats": asdict(panel.nats), "temporal": asdict(panel.temporal)},
        "statistics": asdict(panel.statistics),
        "nodes": [node_json(row) for row in panel.nodes],
    }
