"""`picoclaw get capabilities`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..flags import connection_flags, load_settings
from ..printing.formats import Format, Listing, format_flags, read_format
from ..printing.forms import capability_json
from ..printing.output import safe

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm
    from ...swarm.views.capabilities import CapabilityRow

EPILOG = """\b
Examples:
  picoclaw get capabilities
  picoclaw get capabilities -o wide
  picoclaw get capabilities --json

\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage, 3 no
connection.
"""


@click.command(epilog=EPILOG, short_help="What the swarm can do, who can, who lacks what for it.")
@format_flags
@connection_flags
@click.pass_context
def capabilities(ctx: click.Context, output: Format | None, as_json: bool) -> int:
    """List the capabilities that a living node declares, or a waiting task asks for.

    NODES serve it now, FREE is the number of their free slots, WAITING counts the tasks in lanes that
    ask for it. NOT READY names the nodes that declare it and what each needs.

    \b
    --json: a list of objects with capability, nodes, not_ready (node to what it
    needs), free, slots, waiting.
    """
    form = read_format(output, as_json)

    async def work(swarm: "Swarm") -> int:
        from ...swarm.look import look_around
        from ...swarm.look_lanes import read_lanes
        from ...swarm.views.capabilities import capability_rows
        from ...swarm.views.lanes import lane_rows

        around = await look_around(swarm)
        LISTING.show(capability_rows(around, lane_rows(await read_lanes(swarm), around)), form)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw get")


def _not_ready(row: "CapabilityRow") -> str:
    return safe("; ".join(f"{node}: {why}" for node, why in row.not_ready.items()), 300) or "-"


_FIRST: tuple[tuple[str, Callable[["CapabilityRow"], str]], ...] = (
    ("CAPABILITY", lambda row: safe(row.capability)),
    ("NODES", lambda row: str(len(row.nodes))),
    ("FREE", lambda row: f"{row.free}/{row.slots}"),
    ("WAITING", lambda row: str(row.waiting)),
)

LISTING: Listing["CapabilityRow"] = Listing(
    columns=(*_FIRST, ("NOT READY", _not_ready)),
    wide=(
        *_FIRST,
        ("SERVED BY", lambda row: safe(",".join(row.nodes), 300) or "-"),
        ("NOT READY", _not_ready),
    ),
    name=lambda row: safe(row.capability),
    form=capability_json,
    empty="no capabilities: no node is there; start one, for example `picoclaw --swarm.role worker`",
)
