"""A tool of an MCP server as a tool of an agent."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, InputRequiredResult, Tool
from pydantic import JsonValue

from ....swarm.records import ArtifactRef
from ..models.conversation import ToolSpec
from ..tools.tool import Place, ToolResult
from .connection import Connection
from .lost import ServerLost
from .naming import description, schema, tool_name
from .results import read_result


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool of a server."""

    spec: ToolSpec
    repeatable: bool
    connection: Connection
    tool: str
    """Its name with the server."""

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Ask the server; what it stores goes into artifacts."""
        try:
            answer = await self._answer(arguments)
        except ServerLost as error:
            unknown = error.asked and not self.repeatable
            doubt = ": whether it did what was asked is not known, so look before you ask again"
            return ToolResult(text=f"{error}{doubt if unknown else ''}", error=True)
        except MCPError as error:
            said = self.connection.mask.text(error.message)[:2000]
            return ToolResult(text=f"MCP server {self.connection.server.name} refuses it: {said}", error=True)
        if isinstance(answer, InputRequiredResult):
            return ToolResult(
                text=f"MCP server {self.connection.server.name} wants a person's answer to go on, and nobody is "
                "there to give it: call the tool with all that it needs, or do without",
                error=True,
            )

        async def keep(data: bytes, media_type: str, name: str) -> ArtifactRef:
            return await place.context.artifacts.put(data, media_type=media_type, filename=name)

        server = self.connection.server
        result = await read_result(answer, self.spec.name, server.limits.result, keep)
        return ToolResult(
            text=self.connection.mask.text(result.text), error=result.error, artifacts=result.artifacts
        )

    async def _answer(self, arguments: Mapping[str, JsonValue]) -> CallToolResult | InputRequiredResult:
        try:
            return await self.connection.call(self.tool, arguments)
        except ServerLost as error:
            if not (error.asked and self.repeatable):
                raise
        # Twice is as good as once, and a server that has gone is started anew.
        return await self.connection.call(self.tool, arguments)


def mcp_tool(connection: Connection, tool: Tool, taken: Mapping[str, object]) -> McpTool:
    """Return the tool that a server tells of. Raises SchemaRefused for one that cannot be offered."""
    server = connection.server
    hints = tool.annotations
    # What a stranger says of himself is no reason to do something twice.
    harmless = hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
    return McpTool(
        spec=ToolSpec(
            name=tool_name(server.name, tool.name, taken),
            description=description(server.name, tool.description or tool.title or ""),
            schema=schema(tool.input_schema),
        ),
        repeatable=server.trust and harmless,
        connection=connection,
        tool=tool.name,
    )
