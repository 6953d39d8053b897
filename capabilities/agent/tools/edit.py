"""`edit`: one passage of a file of the workspace replaced by another."""

import asyncio
import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import JsonValue

from ...definitions.sizes import format_size
from ..models.conversation import ToolSpec
from .inside.confined import PathRefused, located, open_file, shown
from .inside.replacing import replace_content
from .tool import Place, Tool, ToolResult
from .toolbox import Kit

LARGEST = 16 * 2**20
"""Bytes of a file that is edited."""
NAMED = 10
"""Places that are named where a passage stands more than once."""
AROUND = 3
"""Lines that are shown before and after a change."""
COMPARED = 5000
"""Lines of a file that are compared with a passage that it does not hold."""

SPEC = ToolSpec(
    name="edit",
    description=(
        "Replace a passage of a file of the workspace. `old` is the passage exactly as it stands there, "
        "indentation included and line numbers not; it must stand there once, unless `replace_all`."
    ),
    schema={
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The file, from the workspace's root."},
            "old": {"type": "string", "minLength": 1, "description": "The passage that goes."},
            "new": {"type": "string", "description": "What comes in its place; empty to take it out."},
            "replace_all": {"type": "boolean", "description": "Replace it wherever it stands."},
        },
        "required": ["path", "old", "new"],
        "additionalProperties": False,
    },
)


class Edit:
    """Edits files. Repeated after a crash it finds the workspace as it was before, so it is done once."""

    spec = SPEC
    repeatable = True

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Replace `old` by `new` in `path`."""
        path, old, new = (str(arguments[name]) for name in ("path", "old", "new"))
        if old == new:
            return ToolResult(text="old and new are the same: there is nothing to change", error=True)
        everywhere = arguments.get("replace_all") is True
        try:
            said = await asyncio.to_thread(_edit, place.root, path, old, new, everywhere)
        except PathRefused as error:
            return ToolResult(text=str(error), error=True)
        return ToolResult(text=said)


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it needs nothing."""
    return (Edit(),)


def _edit(root: Path, path: str, old: str, new: str, everywhere: bool) -> str:
    with located(root, path) as spot:
        with open(open_file(spot, path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST:
                raise PathRefused(
                    f"{shown(path)} has {format_size(size)}, too much to edit: change it with bash"
                )
            data = file.read()
        try:
            old_data, new_data = old.encode(), new.encode()
        except UnicodeEncodeError:
            raise PathRefused("old or new holds half a character (a lone surrogate)") from None
        returns = data.count(b"\r\n")
        if returns and (old_data not in data or returns == data.count(b"\n")):
            # A model sees no difference between the two ends of a line.
            old_data, new_data = (_with_returns(part) for part in (old_data, new_data))
        count = data.count(old_data)
        if not count:
            raise PathRefused(_not_there(path, data, old))
        if count > 1 and not everywhere:
            raise PathRefused(
                f"old stands {count} times in {shown(path)}, at lines {_lines_of(data, old_data)}: give more of "
                "what surrounds the one that is meant, or replace_all"
            )
        at = data.index(old_data)
        changed = data.replace(old_data, new_data)
        replace_content(spot, changed, path)
    times = "once" if count == 1 else f"{count} times"
    return f"replaced {times} in {shown(path)}; it now reads\n{_around(changed, at, len(new_data))}"


def _with_returns(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _lines_of(data: bytes, old: bytes) -> str:
    found: list[str] = []
    at = data.find(old)
    while at >= 0 and len(found) <= NAMED:
        found.append(str(data.count(b"\n", 0, at) + 1))
        at = data.find(old, at + len(old))
    return ", ".join(found[:NAMED]) + (" and more" if len(found) > NAMED else "")


def _not_there(path: str, data: bytes, old: str) -> str:
    """Say that a passage is not in a file, and what of it comes near."""
    text = data.decode("utf-8", "replace")
    lines = text.splitlines()
    wanted = [line.split() for line in old.splitlines() if line.strip()]
    first = " ".join(wanted[0]) if wanted else ""
    bare = [" ".join(line.split()) for line in lines[:COMPARED]]
    for number, line in enumerate(bare, start=1):
        if first and line == first:
            return (
                f"old does not stand in {shown(path)} as it was given; line {number} is alike but for blanks, or "
                f"what follows it differs:\n{_numbered(lines, number - 1, number - 1 + max(1, len(wanted)))}"
            )
    near = (
        get_close_matches(first[:500], [line[:500] for line in bare if line], n=1, cutoff=0.7)
        if first
        else []
    )
    if near:
        number = next(n for n, line in enumerate(bare) if line[:500] == near[0])
        return f"old does not stand in {shown(path)}; nearest is\n{_numbered(lines, number, number + len(wanted))}"
    return f"old does not stand in {shown(path)}: read the file, and give the passage exactly as it is there"


def _around(data: bytes, at: int, length: int) -> str:
    begin = data.count(b"\n", 0, at)
    end = data.count(b"\n", 0, at + length)
    lines = data.decode("utf-8", "replace").split("\n")
    return _numbered(lines, max(0, begin - AROUND), min(end, begin + 20) + AROUND + 1)


def _numbered(lines: list[str], begin: int, end: int) -> str:
    return "\n".join(
        f"{number:>6}\t{line[:500]}"
        for number, line in enumerate(lines[begin : min(end, begin + 40)], begin + 1)
    )
