"""Which MCP servers the settings name, and how a shell completes their names."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ...errors import NotFound
from ..completion.offered import Offered

if TYPE_CHECKING:
    from ...capabilities.agent.mcp.server import Server
    from ...config.load import Loaded


def servers(loaded: "Loaded") -> "tuple[Server, ...]":
    """Return them in the order of their files. Raises ConfigError for a file that is wrong."""
    from ...capabilities.agent.mcp.source import servers_of

    return servers_of(loaded.settings)


def find_server(name: str, loaded: "Loaded") -> "Server":
    """Return a server by its name; raises NotFound with the nearest one."""
    from ...config.spelling import did_you_mean

    known = servers(loaded)
    for server in known:
        if server.name == name:
            return server
    hint = did_you_mean(name, [server.name for server in known]) or "; `picoclaw mcp list` shows them"
    raise NotFound(f"no MCP server is called {name[:100]!r}{hint}")


def _names(ctx: click.Context) -> Iterable[str]:
    from ..flags import load_settings

    return [server.name for server in servers(load_settings(ctx, quiet=True))]


SERVER = Offered("name", _names)
