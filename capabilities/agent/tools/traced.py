"""Traced: the span of one use of a tool."""

from collections.abc import Mapping

from pydantic import JsonValue
from pydantic_core import to_json

from ....swarm.tracing import names
from ....swarm.tracing.spans import span
from .tool import Place, Tool, ToolResult


async def use_traced(tool: Tool, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
    """Use a tool as `Tool.use`, in a span where somebody traces."""
    name = tool.spec.name
    with span(name, names.EXECUTE_TOOL, {names.TOOL_NAME: name, names.TOOL_CALL_ID: place.call}) as here:
        result = await tool.use(arguments, place)
        if result.error:
            here.set({names.ERROR_TYPE: "tool_error"})
        if here.content:
            here.set({names.TOOL_ARGUMENTS: to_json(arguments).decode(), names.TOOL_RESULT: result.text})
        return result
