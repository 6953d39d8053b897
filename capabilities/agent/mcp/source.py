"""The MCP servers of one agent's job: opened together, their tools gathered, all ended with the job."""

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ....config.durations import format_duration
from ....config.settings import Settings
from ....config.spelling import did_you_mean
from ....errors import ConfigError
from ....swarm.embedded.rundir import picoclaw_home
from ..tools.tool import Tool
from ..tools.toolbox import Kit
from .lost import ServerLost
from .naming import SchemaRefused
from .read import read_servers, usual_file
from .readiness import readiness
from .server import Server

if TYPE_CHECKING:
    from .connection import Connection
    from .tool import McpTool

log = logging.getLogger(__name__)

CLOSING = timedelta(seconds=30)
"""More than a server takes that is ended because it did not answer."""


def servers_of(settings: Settings) -> tuple[Server, ...]:
    """Return the MCP servers that the settings lead to. Raises ConfigError for a file that is wrong."""
    return read_servers(settings.mcp.path or (usual_file(picoclaw_home()),))


class McpSource:
    """Brings the tools of the MCP servers that a profile names."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    @asynccontextmanager
    async def open(self, kit: Kit) -> AsyncIterator[tuple[Tool, ...]]:
        """Yield the tools of the servers that can be reached; of the others the log says why they are not."""
        if not kit.profile.mcp:
            yield ()
            return
        try:
            wanted = _wanted(await asyncio.to_thread(servers_of, kit.settings), kit.profile.mcp)
        except ConfigError as error:
            log.warning("No MCP server is used: %s", error)
            wanted = []
        ready = []
        for server in wanted:
            found = readiness(server, self._environ)
            if found.ready:
                ready.append(server)
            else:
                log.warning("MCP server %s is left out: it %s", server.name, found.needs)
        if not ready:
            yield ()
            return
        async with opened(ready, self._environ) as servers:
            yield tuple(tool for one in servers for tool in one.tools)


@dataclass(slots=True, kw_only=True)
class Opened:
    """A server that was asked for its tools."""

    connection: "Connection"
    tools: tuple["McpTool", ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    """Tools that cannot be offered, and why."""
    why: str = ""
    """Why it cannot be used; empty where it can."""


@asynccontextmanager
async def opened(servers: Sequence[Server], environ: Mapping[str, str]) -> AsyncIterator[tuple[Opened, ...]]:
    """Connect to servers, all at once, and yield what each brings; all have ended when the block is left."""
    from .connection import Connection  # the SDK, half a second

    with tempfile.TemporaryDirectory(prefix="picoclaw-mcp-", ignore_cleanup_errors=True) as folder:
        places = [Path(folder, str(number)) for number, _ in enumerate(servers)]
        found = [
            Opened(connection=Connection(server, environ, place))
            for server, place in zip(servers, places, strict=True)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for one in found:
                    group.create_task(_look(one), name=f"tools of {one.connection.server.name}")
            _name(found)
            yield tuple(found)
        finally:
            await _close(found)


async def _close(found: Sequence[Opened]) -> None:
    """Close all at once, to the end also when cancelled."""
    closing = {asyncio.create_task(one.connection.close()) for one in found}
    cancelled: asyncio.CancelledError | None = None
    while closing:
        try:
            _, closing = await asyncio.wait(closing)
        except asyncio.CancelledError as error:
            cancelled = error
            closing = {task for task in closing if not task.done()}
    if cancelled is not None:
        raise cancelled


async def _look(one: Opened) -> None:
    from mcp.shared.exceptions import MCPError

    from .tool import mcp_tool

    name = one.connection.server.name
    # It may hand out its list in as many pages as it likes.
    within = 2 * one.connection.server.limits.connect + CLOSING
    try:
        async with asyncio.timeout(within.total_seconds()):
            told = await one.connection.tools()
    except TimeoutError:
        one.why = f"MCP server {name}: it did not tell its tools within {format_duration(within)}"
        log.warning("MCP server %s is left out: %s", name, one.why)
        return
    except (ServerLost, MCPError) as error:
        one.why = one.connection.mask.text(str(error))[:600]
        log.warning("MCP server %s is left out: %s", name, one.why)
        return
    tools: dict[str, McpTool] = {}
    for tool in told:
        try:
            made = mcp_tool(one.connection, tool, tools)
        except SchemaRefused as error:
            one.refused[tool.name] = str(error)
            log.warning("Tool %r of MCP server %s is left out: %s", tool.name[:100], name, error)
            continue
        tools[made.spec.name] = made
    one.tools = tuple(tools.values())


def _name(found: Sequence[Opened]) -> None:
    """Leave out what bears a name that another server's tool has already."""
    taken: set[str] = set()
    for one in found:
        for tool in one.tools:
            if tool.spec.name in taken:
                one.refused[tool.tool] = f"another server's tool is called {tool.spec.name} too"
        one.tools = tuple(tool for tool in one.tools if tool.spec.name not in taken)
        taken |= {tool.spec.name for tool in one.tools}


def _wanted(servers: Sequence[Server], patterns: Sequence[str]) -> list[Server]:
    names = [server.name for server in servers]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            log.warning("No MCP server is called %r%s", pattern[:100], did_you_mean(pattern, names))
    return [one for one in servers if any(fnmatchcase(one.name, pattern) for pattern in patterns)]
