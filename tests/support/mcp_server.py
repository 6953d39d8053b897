"""A real MCP server for tests, with the SDK's own server side: `python mcp_server.py stdio|http PORT [MISDEED]`."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Image, MCPServer
from mcp_types import CallToolResult, ToolAnnotations

server = MCPServer("workshop", version="1.2")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def note(file: str, text: str) -> str:
    """Append a line to a file: what counts how often it was called."""
    with Path(file).open("a", encoding="utf-8") as stream:
        stream.write(text + "\n")
    return "noted"


@server.tool()
def environment() -> str:
    """Tell all variables that it sees."""
    return "\n".join(f"{name}={value}" for name, value in sorted(os.environ.items()))


@server.tool()
def picture() -> Image:
    """Draw."""
    return Image(data=b"\x89PNG not quite", format="png")


@server.tool()
def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
def die(code: int) -> str:
    """End the server in the middle of the call."""
    print("my last words: out of order", file=sys.stderr, flush=True)
    os._exit(code)


@server.tool()
def hang(seconds: float) -> str:
    """Take long."""
    time.sleep(seconds)
    return "at last"


@server.tool()
def flood(megabytes: int) -> str:
    """Print without end."""
    line = b"x" * 2**20
    for _ in range(megabytes):
        os.write(3 if os.environ.get("WIRE") == "3" else 1, line)
    return "done"


@server.tool()
def much(characters: int) -> str:
    """Say a lot."""
    return "y" * characters


@server.tool()
def both() -> CallToolResult:
    """Answer with structured content alone."""
    return CallToolResult(content=[], structured_content={"answer": 42})


def main() -> None:
    """Serve."""
    way, *rest = sys.argv[1:]
    if way == "stdio":
        server.run("stdio")
    else:
        options: dict[str, Any] = {"host": "127.0.0.1", "port": int(rest[0])}
        server.run("streamable-http", **options)


if __name__ == "__main__":
    main()
