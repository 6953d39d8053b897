"""`glob`: files of the workspace whose paths fit a pattern."""

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue

from ..models.conversation import ToolSpec
from .inside.confined import PathRefused, shown
from .inside.patterns import PathPattern, PatternRefused
from .inside.walking import walk
from .tool import Place, Tool, ToolResult
from .toolbox import Kit

MOST = 500
"""Files that are named."""
LONGEST = timedelta(seconds=20)

SPEC = ToolSpec(
    name="glob",
    description=(
        "List files of the workspace whose paths fit a pattern, such as `src/**/*.py` or `*.{ts,tsx}`; a "
        "pattern without `/` fits names in any folder. At most 500, the last changed first. Folders that "
        "tools make (.git, node_modules, .venv and such) are passed by."
    ),
    schema={
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "minLength": 1, "description": "`**` is any number of folders."},
            "path": {"type": "string", "description": "The folder to look in; the workspace unless given."},
        },
        "required": ["pattern"],
        "additionalProperties": False,
    },
)


class Glob:
    """Finds files by name."""

    spec = SPEC
    repeatable = True
    alongside = True

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """List what fits `pattern` below `path`."""
        try:
            pattern = PathPattern(str(arguments["pattern"]))
            text = await asyncio.to_thread(_find, place.root, str(arguments.get("path") or "."), pattern)
        except (PathRefused, PatternRefused) as error:
            return ToolResult(text=str(error), error=True)
        return ToolResult(text=text)


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it needs nothing."""
    return (Glob(),)


def _find(root: Path, path: str, pattern: PathPattern) -> str:
    until = time.monotonic() + LONGEST.total_seconds()
    found: list[tuple[int, str]] = []
    rest = ""
    for number, file in enumerate(walk(root, path)):
        if pattern.fits(file.path or file.name):
            try:
                changed = os.lstat(file.name, dir_fd=file.folder).st_mtime_ns
            except OSError:
                continue  # it has just gone
            found.append((-changed, file.path))
        if number % 256 == 0 and time.monotonic() > until:
            rest = f"[ended after {LONGEST.total_seconds():.0f} s: there may be more; look in fewer folders]"
            break
    names = [name for _, name in sorted(found)]
    if len(names) > MOST:
        rest = rest or f"[{len(names) - MOST:,} more: give a narrower pattern]"
    base = os.path.normpath(path)
    lines = [shown(os.path.normpath(os.path.join(base, name))) for name in names[:MOST]]
    return "\n".join([*lines, *([rest] if rest else [])]) or "no file fits"
