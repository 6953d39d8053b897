"""`share`: put a value on the blackboard of the request."""

from collections.abc import Mapping

from pydantic import JsonValue

from ....errors import UsageError
from ..models.conversation import ToolSpec
from .swarm_side import agent_context, text_of
from .tool import Place, Tool, ToolResult
from .toolbox import Kit


class Share:
    """Puts a value where every task of the request finds it."""

    repeatable = True
    alongside = True
    spec = ToolSpec(
        name="share",
        description=(
            "Put a value on the blackboard that all tasks of this request read with `recall`: findings, "
            "decisions, a table. A key that stands there is replaced. Not for secrets."
        ),
        schema={
            "type": "object",
            "properties": {
                "key": {"type": "string", "description": "Its name, such as `decisions/database`"},
                "value": {"description": "Any JSON: a text, a list, an object"},
            },
            "required": ["key", "value"],
            "additionalProperties": False,
        },
    )

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Share it, once however often this call is repeated."""
        key = text_of(arguments, "key")
        try:
            await agent_context(place).blackboard.share(key, arguments.get("value"), call=place.call)
        except UsageError as error:
            return ToolResult(text=str(error), error=True)
        return ToolResult(text=f"shared as {key}")


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it needs nothing."""
    return (Share(),)
