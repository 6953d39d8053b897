"""`write`: a whole file of the workspace, at once."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from ...definitions.sizes import format_size
from ..models.conversation import ToolSpec
from .inside.confined import PathRefused, located, shown
from .inside.replacing import replace_content
from .tool import Place, Tool, ToolResult
from .toolbox import Kit

SPEC = ToolSpec(
    name="write",
    description=(
        "Write a file of the workspace, making the folders above it; one that is there is replaced as a "
        "whole. To change a part of a file, use edit."
    ),
    schema={
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The file, from the workspace's root."},
            "content": {"type": "string", "description": "All that it is to hold."},
        },
        "required": ["path", "content"],
        "additionalProperties": False,
    },
)


class Write:
    """Writes files. Repeated after a crash it writes the same again, in the workspace as it was before."""

    spec = SPEC
    repeatable = True

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Write `content` to `path`."""
        path, content = str(arguments["path"]), str(arguments["content"])
        try:
            data = content.encode()
        except UnicodeEncodeError:
            return ToolResult(text="the content holds half a character (a lone surrogate)", error=True)
        try:
            new = await asyncio.to_thread(_write, place.root, path, data)
        except PathRefused as error:
            return ToolResult(text=str(error), error=True)
        what = "made" if new else "replaced"
        lines = content.count("\n") + (not content.endswith("\n") and bool(content))
        return ToolResult(text=f"{what} {shown(path)}: {lines:,} lines, {format_size(len(data))}")


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it needs nothing."""
    return (Write(),)


def _write(root: Path, path: str, data: bytes) -> bool:
    with located(root, path, make=True) as spot:
        return replace_content(spot, data, path)
