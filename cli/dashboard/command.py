"""`picoclaw --swarm.dashboard`: the swarm's status, once or as it changes."""

import os
import sys
from typing import TYPE_CHECKING, Any

from ..errors import echo_warning
from ..printing.output import echo, echo_json
from ..session import run_session
from .look import NONE_HERE, look, painter
from .panel import panel_text

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...swarm.swarm import Swarm
    from ...swarm.views.dashboard import Panel


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


def panel_json(panel: "Panel") -> dict[str, Any]:
    """Return the panel's stable JSON form.

    `node` (null where none of this machine is in the swarm) and `nodes` hold objects as
    `picoclaw get nodes --json` does; `connections` has `nats` and `temporal` with `ok` and `detail`;
    `statistics` has total, online, offline, coordinators, workers, specialists, promoted
    (names), used, slots; `asks` is how many questions of agents wait for an answer.
    """
    from dataclasses import asdict

    from ..printing.forms import node_json

    return {
        "node": node_json(panel.this) if panel.this is not None else None,
        "connections": {"nats": asdict(panel.nats), "temporal": asdict(panel.temporal)},
        "statistics": asdict(panel.statistics),
        "nodes": [node_json(row) for row in panel.nodes],
        "asks": panel.asks,
    }
