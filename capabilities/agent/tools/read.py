"""`read`: lines of a text file of the workspace, with their numbers."""

import asyncio
import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from pydantic import JsonValue

from ...definitions.sizes import format_size
from ..models.conversation import ToolSpec
from .inside.confined import PathRefused, located, open_file, shown
from .tool import SHOWN, Place, Tool, ToolResult
from .toolbox import Kit

LINES = 2000
"""Lines of one reading."""
LINE = 2000
"""Bytes of a line that are shown."""
PASSED = 64 * 2**20
"""Bytes that are passed over on the way to a line."""

SPEC = ToolSpec(
    name="read",
    description=(
        "Read a text file of the workspace: up to 2,000 lines, each as its number, a tab and its text. "
        "`offset` is the first line to read; long lines are cut."
    ),
    schema={
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The file, from the workspace's root."},
            "offset": {"type": "integer", "minimum": 1, "description": "First line; 1 unless given."},
            "limit": {"type": "integer", "minimum": 1, "maximum": LINES, "description": "How many lines."},
        },
        "required": ["path"],
        "additionalProperties": False,
    },
)


class Read:
    """Reads files."""

    spec = SPEC
    repeatable = True
    alongside = True

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Read `limit` lines of `path` from line `offset` on."""
        offset, limit = arguments.get("offset") or 1, arguments.get("limit") or LINES
        assert isinstance(offset, int)
        assert isinstance(limit, int)
        try:
            text = await asyncio.to_thread(_read, place.root, str(arguments["path"]), offset, limit)
        except PathRefused as error:
            return ToolResult(text=str(error), error=True)
        return ToolResult(text=text)


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it needs nothing."""
    return (Read(),)


def _read(root: Path, path: str, offset: int, limit: int) -> str:
    with located(root, path) as spot, open(open_file(spot, path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if b"\0" in file.read(8192):
            kind = mimetypes.guess_type(path)[0] or "of no known kind"
            raise PathRefused(f"{shown(path)} is no text but a binary file of {format_size(size)} ({kind})")
        file.seek(0)
        return _lines(file, path, size, offset, limit)


def _lines(file: BinaryIO, path: str, size: int, offset: int, limit: int) -> str:
    parts: list[str] = []
    number = length = passed = 0
    while len(parts) < limit and length < SHOWN - LINE:
        line, cut = _line(file)
        if not line:
            break
        number += 1
        passed += len(line) + cut
        if number < offset:
            if passed > PASSED:
                raise PathRefused(
                    f"{shown(path)} has {format_size(size)}, and line {offset:,} is too far in it: find the "
                    "place with grep, or cut it out with bash"
                )
            continue
        text = line.rstrip(b"\r\n").decode("utf-8", "replace")
        if cut:
            text += f"… [{cut:,} bytes more in this line]"
        parts.append(f"{number:>6}\t{text}")
        length += len(parts[-1]) + 1
    if not number:
        return f"{shown(path)} is empty"
    if not parts:
        raise PathRefused(f"{shown(path)} has {number:,} lines, none numbered {offset:,}")
    if file.read(1):
        parts.append(f"[it goes on: read it with offset {number + 1}]")
    return "\n".join(parts)


def _line(file: BinaryIO) -> tuple[bytes, int]:
    """Return the beginning of the next line, and how many bytes of it were left out."""
    line = file.readline(LINE)
    cut = 0
    if len(line) == LINE and not line.endswith(b"\n"):
        while rest := file.readline(2**16):
            cut += len(rest)
            if rest.endswith(b"\n") or cut > PASSED:
                break
    return line, cut
