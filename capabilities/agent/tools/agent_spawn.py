"""`agent_spawn`: start an agent from a profile, or one made up here, and wait for its result."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from ....errors import FinalError, PlanError, UsageError
from ..models.conversation import ToolSpec
from ..profiles.inline import INPUT, Inline, to_give, within
from ..profiles.profile import Profile
from .swarm_side import agent_context, shown, text_of, timeout_of
from .tool import Place, Tool, ToolResult
from .toolbox import Kit


@dataclass(frozen=True, slots=True)
class AgentSpawn:
    """Starts an agent on the swarm; one that is made up here gets no more than its maker has."""

    profile: Profile

    @property
    def repeatable(self) -> bool:
        return True

    @property
    def alongside(self) -> bool:
        """Several may work at once."""
        return True

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(
            name="agent_spawn",
            description=(
                "Start an agent and wait for its result: one that is defined, by `profile`, or one that you make "
                "up, by `name` and `system`. One that you make up has at most your own tools. It sees only `text` "
                "and `input`. What it spends counts here too."
            ),
            schema={
                "type": "object",
                "properties": {
                    "text": {"type": "string", "description": "Its whole task, as to a stranger"},
                    "profile": {"type": "string", "description": "Name of an agent that is defined"},
                    "name": {
                        "type": "string",
                        "description": "Of one that you make up: letters, digits, - and _",
                    },
                    "system": {"type": "string", "description": "Who it is and how it works"},
                    "tools": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Names of tools of yours; leave it out for all of them",
                    },
                    "budget": {
                        "type": "object",
                        "properties": {
                            "usd": {"type": "number", "minimum": 0},
                            "tokens": {"type": "integer", "minimum": 0},
                            "turns": {"type": "integer", "minimum": 1},
                        },
                        "additionalProperties": False,
                    },
                    "input": {"type": "object", "description": "Data that it works on"},
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
        """Start it and return what it answered."""
        profile, name = text_of(arguments, "profile"), text_of(arguments, "name")
        if bool(profile) == bool(name):
            return ToolResult(text="give either `profile`, or `name` and `system`", error=True)
        given = arguments.get("input")
        inputs: dict[str, JsonValue] = dict(given) if isinstance(given, dict) else {}
        inputs.pop(INPUT, None)
        context = agent_context(place)
        try:
            if name:
                inputs[INPUT] = self._made_up(name, arguments)
            demand = f"agent:{profile}" if profile else context.delegation.like_mine(self._own_agent)
            result = await context.delegation.ask(
                text_of(arguments, "text"),
                demand=demand,
                key=place.call,
                input=inputs,
                timeout=timeout_of(arguments),
                budget=self.profile.budget,
                policy=self.profile.policy,
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            return ToolResult(text=f"no such agent can be made up: {where}: {first['msg']}", error=True)
        except (UsageError, PlanError, FinalError) as error:
            return ToolResult(text=str(error), error=True)
        return shown(result, who=f"agent {profile or name}")

    @property
    def _own_agent(self) -> str:
        """The profile's name, without what was made up on top of it."""
        return self.profile.name.partition("/")[0]

    def _made_up(self, name: str, arguments: Mapping[str, JsonValue]) -> JsonValue:
        """Return the input that makes the agent up; raises UsageError, ValidationError."""
        wanted = arguments.get("tools")
        asked = [str(one) for one in wanted] if isinstance(wanted, list) else None
        tools = within(asked, to_give(self.profile))
        if (
            asked is not None
            and tools is not None
            and (refused := [one for one in asked if one not in tools])
        ):
            raise UsageError(f"you have no {', '.join(refused[:10])} to give: name tools of your own")
        budget = arguments.get("budget")
        limits = budget if isinstance(budget, dict) else {}
        made = Inline.model_validate(
            {"name": name, "system": text_of(arguments, "system"), "tools": tools, **limits}
        )
        plain: JsonValue = made.model_dump(mode="json", exclude_none=True)
        return plain


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool."""
    return (AgentSpawn(kit.profile),)
