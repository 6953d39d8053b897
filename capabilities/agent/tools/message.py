"""`message`: mail to another agent."""

from collections.abc import Mapping

from pydantic import JsonValue

from ....errors import NameRefused, UsageError
from ..models.conversation import ToolSpec
from .swarm_side import agent_context, text_of
from .tool import Place, Tool, ToolResult
from .toolbox import Kit


class Message:
    """Tells another agent something, between two of its steps."""

    repeatable = True
    alongside = True
    spec = ToolSpec(
        name="message",
        description=(
            "Tell another agent something; it reads it between two of its steps. There is no answer but what "
            "it sends of itself: to have work done and wait for it, use `delegate`."
        ),
        schema={
            "type": "object",
            "properties": {
                "to": {
                    "type": "string",
                    "description": "`agent:NAME`, `node:NAME`, or the id of a task, such as `r-….review`",
                },
                "text": {"type": "string"},
            },
            "required": ["to", "text"],
            "additionalProperties": False,
        },
    )

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Send it, once however often this call is repeated."""
        mail = agent_context(place).mail
        try:
            words = await mail.send(text_of(arguments, "to"), text_of(arguments, "text"), key=place.call)
        except (UsageError, NameRefused) as error:
            return ToolResult(text=str(error), error=True)
        return ToolResult(text=f"sent: {words}")


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it needs nothing."""
    return (Message(),)
