"""`picoclaw --swarm.dashboard`: the swarm's status, once or as it changes."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from ..errors import PicoclawError
from .output import STYLES, colours, echo, echo_json
from .panel import panel_text, plain
from .session import run_session

if TYPE_CHECKING:
    from ..config.load import Loaded
    from ..swarm.swarm import Swarm
    from ..swarm.views.dashboard import Connection, Panel

EVERY = 2.0
"""Seconds between two looks of the live view."""
NONE_HERE = (
    "none: no node of this user runs on this machine; start one with `picoclaw --swarm.role worker`, "
    "or name another with --node"
)


def show(loaded: "Loaded", once: bool, as_json: bool, node: str | None) -> int:
    """Print the panel: once, as JSON, or at a terminal again and again until Ctrl-C.

    `node` is the one to show as this node; else it is the node of this machine that has run longest.
    Raises what connecting raises, NotFound and Ambiguous.
    """

    async def work(swarm: "Swarm") -> int:
        panel = await look(swarm, loaded, node)
        if as_json:
            echo_json(panel_json(panel))
        elif once or not sys.stdout.isatty():
            echo(panel_text(panel, paint=_painter(), none_here=NONE_HERE))
        else:
            await _live(swarm, loaded, node, panel)
        return 0

    try:
        return run_session(loaded, work, name="picoclaw dashboard")
    except KeyboardInterrupt:
        if once or as_json:
            raise
        return 0  # that is how the live view ends


async def look(swarm: "Swarm", loaded: "Loaded", node: str | None) -> "Panel":
    """Return the panel as things stand now."""
    from ..config.urls import redact_url
    from ..swarm.embedded.rundir import live_nodes, picoclaw_home, run_dir
    from ..swarm.look import look_around
    from ..swarm.resolve import the_one
    from ..swarm.views.dashboard import Connection, Panel, statistics, this_node

    around = await look_around(swarm)
    here = {(entry.name, entry.pid) for entry in live_nodes(run_dir(picoclaw_home()))}
    if node is None:
        this = this_node(around.nodes, here)
    else:
        names = {row.name: row for row in around.nodes}
        this = names[the_one(node, names, "node", hint="see `picoclaw get nodes`")]
    url = swarm.client.connected_url
    return Panel(
        this=this,
        nats=Connection(ok=True, detail=redact_url(url.geturl()) if url is not None else ""),
        temporal=_temporal(loaded),
        statistics=statistics(around.nodes),
        nodes=around.nodes,
    )


def _temporal(loaded: "Loaded") -> "Connection":
    from ..config.urls import redact_url
    from ..swarm.views.dashboard import Connection

    address = loaded.settings.swarm.temporal.address
    if not address:
        return Connection(ok=False, detail="(not configured)")
    return Connection(ok=False, detail=f"{redact_url(address)} (workflows disabled)")


def _painter() -> Any:
    import click

    if not colours():
        return plain
    return lambda text, status: click.style(text, fg=STYLES.get(status))


async def _live(swarm: "Swarm", loaded: "Loaded", node: str | None, panel: "Panel") -> None:
    """Show the panel anew every two seconds until Ctrl-C; a server that is away is said."""
    from dataclasses import replace

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from ..swarm.views.dashboard import Connection

    def text(problem: str = "") -> Text:
        said = panel_text(panel, paint=_painter(), none_here=NONE_HERE)
        return Text.from_ansi(f"{said}\n\n{problem or 'Ctrl-C ends this view.'}")

    with Live(text(), console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(EVERY)
            try:
                panel = await look(swarm, loaded, node)
                live.update(text(), refresh=True)
            except PicoclawError as error:
                panel = replace(panel, nats=Connection(ok=False, detail=panel.nats.detail))
                live.update(text(str(error)), refresh=True)


def panel_json(panel: "Panel") -> dict[str, Any]:
    """Return the panel's stable JSON form.

    `node` (null where none of this machine is in the swarm) and `nodes` hold objects as
    `picoclaw get nodes --json` does; `connections` has `nats` and `temporal` with `ok` and `detail`;
    `statistics` has total, online, offline, coordinators, workers, specialists, used, slots.
    """
    from dataclasses import asdict

    from .get_command import node_json

    return {
        "node": node_json(panel.this) if panel.this is not None else None,
        "connections": {"nats": asdict(panel.nats), "temporal": asdict(panel.temporal)},
        "statistics": asdict(panel.statistics),
        "nodes": [node_json(row) for row in panel.nodes],
    }
