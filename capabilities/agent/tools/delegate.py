"""`delegate`: put a subtask on the swarm, and wait for its result."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ....errors import FinalError, PlanError, UsageError
from ..approvals.policy import Policy
from ..budget.limits import Budget
from ..models.conversation import ToolSpec
from .swarm_side import agent_context, shown, text_of, timeout_of
from .tool import Place, Tool, ToolResult
from .toolbox import Kit


@dataclass(frozen=True, slots=True)
class Delegate:
    """Hands a subtask on; the same call is the same request, whatever crashes."""

    budget: Budget
    """The agent's own, which pays for it too."""
    policy: Policy
    """The agent's own, which holds for whoever does it too."""

    @property
    def repeatable(self) -> bool:
        return True

    @property
    def alongside(self) -> bool:
        """Several may be waited for at once."""
        return True

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(
            name="delegate",
            description=(
                "Put a subtask on the swarm and wait for its result: to a capability (`code`, `security`, "
                "`research`…), to an agent by its name, or with neither to whatever the coordinator plans. It "
                "sees only `text` and `input`, nothing of this conversation. What it spends counts here too."
            ),
            schema={
                "type": "object",
                "properties": {
                    "text": {"type": "string", "description": "The whole task, as to a stranger"},
                    "capability": {"type": "string"},
                    "agent": {"type": "string", "description": "An agent's name; not with `capability`"},
                    "input": {"type": "object", "description": "Data that the task works on"},
                    "timeout_s": {
                        "type": "number",
                        "description": "Longest wait in seconds; 1800 unless given",
                    },
                },
                "required": ["text"],
                "additionalProperties": False,
            },
        )

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Hand it on and return what came of it."""
        text, capability, agent = (text_of(arguments, name) for name in ("text", "capability", "agent"))
        if capability and agent:
            return ToolResult(text="give a capability or an agent, not both", error=True)
        demand = f"agent:{agent}" if agent else capability
        given = arguments.get("input")
        inputs = dict(given) if isinstance(given, dict) else {}
        # Only agent_spawn may say what an agent is: it keeps that to what its own agent may do.
        inputs.pop("agent", None)
        try:
            result = await agent_context(place).delegation.ask(
                text,
                demand=demand,
                key=place.call,
                input=inputs,
                timeout=timeout_of(arguments),
                budget=self.budget,
                policy=self.policy,
            )
        except (UsageError, PlanError, FinalError) as error:
            return ToolResult(text=str(error), error=True)
        return shown(result, who=demand or "the swarm")


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool."""
    return (Delegate(kit.profile.budget, kit.profile.policy),)
