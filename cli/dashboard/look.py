"""What the dashboard shows: this node, the connections and everybody else, as things stand now."""

from typing import TYPE_CHECKING, Any

from ..printing.output import STYLES, colours
from .panel import plain

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...swarm.swarm import Swarm
    from ...swarm.views.dashboard import Connection, Panel
    from ...swarm.views.nodes import Around, NodeRow

NONE_HERE = (
    "none: no node of this user runs on this machine; start one with `picoclaw --swarm.role worker`, "
    "or name another with --node"
)


async def look(swarm: "Swarm", loaded: "Loaded", node: str | None) -> "Panel":
    """Return the panel as things stand now."""
    from ...config.urls import redact_url
    from ...swarm.approvals.store import list_open
    from ...swarm.look import look_around

    around = await look_around(swarm)
    asks = len(await list_open(swarm)) if around.asks else 0
    url = swarm.client.connected_url
    address = redact_url(url.geturl()) if url is not None else ""
    return make_panel(loaded, around, chosen(around, node), address=address, connected=True, asks=asks)


def make_panel(
    loaded: "Loaded",
    around: "Around",
    this: "NodeRow | None",
    *,
    address: str,
    connected: bool,
    asks: int = 0,
) -> "Panel":
    """Return the panel of a look; `address` is the server's, without credentials."""
    from ...swarm.views.dashboard import Connection, Panel, statistics

    return Panel(
        this=this,
        nats=Connection(ok=connected, detail=address),
        temporal=_temporal(loaded),
        statistics=statistics(around.nodes),
        nodes=around.nodes,
        asks=asks,
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
