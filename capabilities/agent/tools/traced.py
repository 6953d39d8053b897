"""Traced: the span of one use of a tool."""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from ....swarm.tracing import names
from ....swarm.tracing.spans import span
from .tool import Place, Tool, ToolResult


async def use_traced(tool: Tool, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
    """Use a tool as `Tool.use`, in a span where somebody traces."""
    name = tool.spec.name
    about = {names.TOOL_NAME: name, names.TOOL_TYPE: names.FUNCTION, names.TOOL_CALL_ID: place.call}
    with span(name, names.EXECUTE_TOOL, about) as here:
        result = await tool.use(arguments, place)
        if result.error:
            here.set({names.ERROR_TYPE: "tool_error"})
        if here.content:
            said = json.dumps(dict(arguments), ensure_ascii=False)
            here.set({names.TOOL_ARGUMENTS: said, names.TOOL_RESULT: result.text})
        return result
