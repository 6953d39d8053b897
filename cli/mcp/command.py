"""`picoclaw mcp list|check`: MCP servers, and whether they answer."""

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click

from ..aliases import AliasGroup
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, echo_table, safe
from .find import SERVER, find_server, servers

if TYPE_CHECKING:
    from ...capabilities.agent.mcp.server import Server

EPILOG = """\b
Examples:
  picoclaw mcp list
  picoclaw mcp check github

\b
MCP servers are named in ~/.picoclaw/mcp.yaml (or --mcp.path). An agent has
the tools of those that its profile names.
Exit codes: 0 done, 1 with check: it does not answer, 2 wrong usage or file.
"""
LIST_EPILOG = """\b
Examples:
  picoclaw mcp list
  picoclaw mcp list --mcp.path ./mcp.json --json

\b
No server is asked: `picoclaw mcp check NAME` does that.
Exit codes: 0 done, 2 wrong usage or a file that is wrong.
"""
CHECK_EPILOG = """\b
Examples:
  picoclaw mcp check github
  picoclaw mcp check github --json

\b
Exit codes: 0 it answers, 1 it does not, 2 wrong usage or a wrong file.
"""


@click.group(cls=AliasGroup, aliases={"ls": "list", "test": "check"}, epilog=EPILOG)
def mcp() -> None:
    """List MCP servers, and check that one answers."""


@mcp.command("list", epilog=LIST_EPILOG, short_help="The MCP servers that are named.")
@json_flag
@connection_flags
@click.pass_context
def list_servers(ctx: click.Context, as_json: bool) -> int:
    """List the MCP servers in ~/.picoclaw/mcp.yaml (or --mcp.path), and what they need.

    \b
    --json: a list of objects with name, kind (stdio or http), ready, needs,
    trust, tools (patterns), place.
    """
    from ...capabilities.agent.mcp.readiness import readiness

    rows = []
    for server in servers(load_settings(ctx)):
        found = readiness(server, os.environ)
        rows.append(_row(server, found.needs))
    if as_json:
        echo_json(rows)
        return 0
    echo_table(
        ("SERVER", "STATUS", "BY", "DETAIL"),
        [
            (
                safe(row["name"]),
                "ready" if row["ready"] else "not ready",
                row["kind"],
                safe(row["needs"] or row["place"]),
            )
            for row in rows
        ],
        empty="no MCP server is named: write ~/.picoclaw/mcp.yaml, as docs/skills.md shows",
    )
    return 0


@mcp.command("check", epilog=CHECK_EPILOG, short_help="Whether an MCP server answers, with its tools.")
@click.argument("name", type=SERVER)
@json_flag
@connection_flags
@click.pass_context
def check_server(ctx: click.Context, name: str, as_json: bool) -> int:
    """Start or reach an MCP server as an agent would, and list the tools that it brings.

    No tool is used.

    \b
    --json: an object with what `list` has, and answers, why, protocol, server,
    offers (a list of objects with name, tool, repeatable, description), refused.
    """
    from ...capabilities.agent.mcp.readiness import readiness
    from ..session import quiet_logs

    loaded = load_settings(ctx)
    quiet_logs(loaded)
    server = find_server(name, loaded)
    needs = readiness(server, os.environ).needs
    row = _row(server, needs)
    row |= {"answers": False, "why": needs, "protocol": "", "server": "", "offers": [], "refused": {}}
    if not needs:
        row |= asyncio.run(_look(server))
    if as_json:
        echo_json(row)
        return 0 if row["answers"] else 1
    if not row["answers"]:
        echo(
            f"{safe(name)} does not answer: {safe(row['why'])}"
            if not needs
            else f"{safe(name)} {safe(needs)}"
        )
        return 1
    said = f" ({safe(row['server'])})" if row["server"] else ""
    echo(f"{safe(name)} answers{said}, MCP {safe(row['protocol'])}")
    echo_table(
        ("TOOL", "TWICE", "WHAT"),
        [
            (one["name"], "as once" if one["repeatable"] else "asks", safe(one["description"]))
            for one in row["offers"]
        ],
        empty="it brings no tools",
    )
    for tool, why in row["refused"].items():
        echo(f"left out: {safe(tool, 100)}: {safe(why)}")
    return 0


async def _look(server: "Server") -> dict[str, Any]:
    from ...capabilities.agent.mcp.source import opened

    async with opened([server], os.environ) as (one,):
        return {
            "answers": not one.why,
            "why": one.why,
            "protocol": one.connection.protocol,
            "server": one.connection.said,
            "offers": [
                {
                    "name": tool.spec.name,
                    "tool": tool.tool,
                    "repeatable": tool.repeatable,
                    "description": tool.spec.description,
                }
                for tool in one.tools
            ],
            "refused": dict(one.refused),
        }


def _row(server: "Server", needs: str) -> dict[str, Any]:
    return {
        "name": server.name,
        "kind": server.kind,
        "ready": not needs,
        "needs": needs,
        "trust": server.trust,
        "tools": list(server.tools),
        "place": server.place,
    }
