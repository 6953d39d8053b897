"""`picoclaw delete agent NAME`: out of the swarm's registry."""

from typing import TYPE_CHECKING

import click

from ..aliases import AliasGroup
from ..completion.offered import AGENT
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, safe

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm

EPILOG = """\b
Examples:
  picoclaw delete agent coder
  picoclaw delete agent coder --json

\b
Exit codes: 0 done, 1 failed, or somebody else changed it at the same moment,
2 wrong usage or no such agent, 3 no connection.
"""


@click.group(cls=AliasGroup, aliases={"agents": "agent"}, epilog=EPILOG, subcommand_metavar="agent NAME")
def delete() -> None:
    """Delete an agent."""


@delete.command(epilog=EPILOG, short_help="An agent, out of the registry.")
@click.argument("name", type=AGENT)
@json_flag
@connection_flags
@click.pass_context
def agent(ctx: click.Context, name: str, as_json: bool) -> int:
    """Delete an agent from the swarm's registry; NAME is its whole name.

    Tasks that it has begun go on. A file that defines it stays: the nodes that have it serve it still,
    and register it again when they join.

    \b
    --json: an object with name, deleted (true), file (of this machine that still
    defines it; null: none).
    """

    async def work(swarm: "Swarm") -> int:
        from ...capabilities.agent.profiles.known import FOLDER
        from ...errors import NotFound
        from ...swarm.agents.store import delete_agent, find_agent
        from ...swarm.embedded.rundir import picoclaw_home
        from .rows import read_agents

        file = picoclaw_home() / FOLDER / f"{name}.yaml"
        try:
            found = await find_agent(swarm, name, whole=True)
        except NotFound:
            if file.exists():
                raise NotFound(
                    f"the registry has no agent {name!r}; {file} defines it: remove that file"
                ) from None
            if any(row.name == name for row in await read_agents(swarm)):
                raise NotFound(
                    f"agent {name!r} is not of the registry: the nodes that serve it bring it along"
                ) from None
            raise
        await delete_agent(swarm, found)
        still = str(file) if file.exists() else None
        if as_json:
            echo_json({"name": found.record.name, "deleted": True, "file": still})
            return 0
        echo(f"agent {safe(found.record.name)} is deleted from the registry")
        if still is not None:
            echo(f"{still} still defines it for the nodes of this machine: remove that file too", err=True)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw delete")
