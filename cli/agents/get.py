"""`picoclaw get agents`."""

from typing import TYPE_CHECKING

import click

from ..flags import connection_flags, load_settings
from ..printing.formats import Format, format_flags, read_format

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm

EPILOG = """\b
Examples:
  picoclaw get agents
  picoclaw get agents -o wide
  picoclaw get agents --json

\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage, 3 no
connection.
"""


@click.command(epilog=EPILOG, short_help="The agents, and how many nodes serve each.")
@format_flags
@connection_flags
@click.pass_context
def agents(ctx: click.Context, output: Format | None, as_json: bool) -> int:
    """List the agents that the registry has, or a living node brings along.

    MODEL is the agent's own (-: that of the node). NODES serve it now, FREE is the number of their free
    slots.

    \b
    --json: a list of objects with name, registered, description, models, tools
    (null: all), skills, mcp, capabilities, budget, policy, nodes, free, not_ready
    (node to what it needs), created_at, created_by, changed_at.
    """
    form = read_format(output, as_json)

    async def work(swarm: "Swarm") -> int:
        from .rows import LISTING, read_agents

        LISTING.show(await read_agents(swarm), form)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw get")
