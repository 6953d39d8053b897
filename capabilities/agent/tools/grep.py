"""`grep`: lines of the workspace's files that fit a regular expression, within a time that no pattern exceeds."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue

from ....errors import ExecutionError
from ...elsewhere import elsewhere
from ..models.conversation import ToolSpec
from .inside.confined import PathRefused
from .inside.patterns import PatternRefused
from .inside.searching import Search, search
from .tool import SHOWN, Place, Tool, ToolResult
from .toolbox import Kit

LONGEST = timedelta(seconds=20)

SPEC = ToolSpec(
    name="grep",
    description=(
        "Search the workspace's text files, line by line, for a regular expression (Python's); return "
        "`path:line:text`, at most 200 lines. Folders that tools make (.git, node_modules, .venv and such) are "
        "passed by."
    ),
    schema={
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "minLength": 1, "description": "What a line has to hold."},
            "path": {"type": "string", "description": "A folder or file; the workspace unless given."},
            "glob": {"type": "string", "description": "Search only files that fit, such as `*.py`."},
            "ignore_case": {"type": "boolean"},
            "context": {"type": "integer", "minimum": 0, "maximum": 10, "description": "Lines around each."},
        },
        "required": ["pattern"],
        "additionalProperties": False,
    },
)


class Grep:
    """Finds lines."""

    repeatable = True
    alongside = True

    def __init__(self, longest: timedelta = LONGEST) -> None:
        self._longest = longest

    @property
    def spec(self) -> ToolSpec:
        return SPEC

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Look for `pattern` in the files below `path` that fit `glob`."""
        context = arguments.get("context")
        order = Search(
            pattern=str(arguments["pattern"]),
            path=str(arguments.get("path") or "."),
            files=str(arguments.get("glob") or ""),
            ignore_case=arguments.get("ignore_case") is True,
            context=context if isinstance(context, int) else 0,
        )
        try:
            async with asyncio.timeout(self._longest.total_seconds()):
                text = await elsewhere(search, place.root, order)
        except TimeoutError:
            return ToolResult(
                text=f"ended after {self._longest.total_seconds():.0f} s: search fewer files, or write a pattern "
                "that does not repeat what itself repeats",
                error=True,
            )
        except (PathRefused, PatternRefused, ExecutionError) as error:
            return ToolResult(text=str(error), error=True)
        if len(text) > SHOWN:
            text = f"{text[:SHOWN]}\n[cut: give a narrower pattern, path or glob]"
        return ToolResult(text=text)


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it needs nothing."""
    return (Grep(),)
