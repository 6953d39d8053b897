"""`picoclaw get lanes`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..flags import connection_flags, load_settings
from ..printing.formats import Format, Listing, format_flags, read_format
from ..printing.forms import lane_json, level_name
from ..printing.output import age, safe

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm
    from ...swarm.views.lanes import LaneRow

EPILOG = """\b
Examples:
  picoclaw get lanes
  picoclaw get lanes -o wide
  picoclaw get lanes --json

\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage, 3 no
connection.
"""


@click.command(epilog=EPILOG, short_help="The queues: what waits in each, for how long, who serves it.")
@format_flags
@connection_flags
@click.pass_context
def lanes(ctx: click.Context, output: Format | None, as_json: bool) -> int:
    """List the lanes, one queue per demand (`code`, `docs+security`, `node:worker-1`).

    IN FLIGHT has been handed to a node. OLDEST is the age of the oldest task, in flight or not. FREE
    is the number of free slots of the nodes that serve the lane, which they share with other lanes.
    -o wide and --json count what is planned and waits for room in the lane as well.

    \b
    --json: a list of objects with lane, queued, in_flight, planned, oldest_s
    (null: empty), nodes, free, slots, priorities (tasks not in flight, by
    priority), closing, held_by (the cap that keeps its tasks waiting; null:
    none).
    """
    form = read_format(output, as_json)

    async def work(swarm: "Swarm") -> int:
        from ...swarm.look import look_around
        from ...swarm.look_lanes import open_requests, read_lanes
        from ...swarm.views.lanes import lane_rows, planned_by_demand

        around = await look_around(swarm)
        planned = None
        if form in ("wide", "json"):
            planned = planned_by_demand(await open_requests(swarm))
        LISTING.show(lane_rows(await read_lanes(swarm), around, planned), form)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw get")


def _priorities(row: "LaneRow") -> str:
    levels = sorted(row.levels.items(), key=lambda level: -(level[0] or 0))
    return " ".join(f"{level_name(level)}:{number}" for level, number in levels) or "-"


_FIRST: tuple[tuple[str, Callable[["LaneRow"], str]], ...] = (
    ("LANE", lambda row: safe(row.lane, 100)),
    ("QUEUED", lambda row: str(row.queued)),
    ("IN FLIGHT", lambda row: str(row.in_flight)),
    ("OLDEST", lambda row: "-" if row.oldest_s is None else age(row.oldest_s)),
    ("NODES", lambda row: str(len(row.nodes))),
    ("FREE", lambda row: f"{row.free}/{row.slots}"),
    ("PRIORITIES", _priorities),
)

LISTING: Listing["LaneRow"] = Listing(
    columns=_FIRST,
    wide=(
        *_FIRST,
        ("PLANNED", lambda row: "-" if row.planned is None else str(row.planned)),
        ("SERVED BY", lambda row: safe(",".join(row.nodes), 300) or "-"),
        ("HELD BY", lambda row: row.held_by or "-"),
    ),
    name=lambda row: safe(row.lane),
    form=lane_json,
    empty="no lanes: the first task that is sent makes one",
)
