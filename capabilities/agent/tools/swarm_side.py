"""What the tools of the swarm have in common: the agent's context, and arguments that are what they say."""

import json
from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue

from ....errors import FinalError
from ....swarm.records import Result
from ..context import AgentContext
from .tool import Place, ToolResult

LONGEST = timedelta(days=1)
"""Longest time that handed-on work may take."""
USUAL = timedelta(minutes=30)


def agent_context(place: Place) -> AgentContext:
    """Return the context of an agent's job; raises FinalError where it is none."""
    if not isinstance(place.context, AgentContext):
        raise FinalError("this tool needs the swarm: it works in an agent's task only")
    return place.context


def text_of(arguments: Mapping[str, JsonValue], name: str) -> str:
    """Return an argument that is a text; "" where it is absent."""
    value = arguments.get(name)
    return value.strip() if isinstance(value, str) else ""


def timeout_of(arguments: Mapping[str, JsonValue]) -> timedelta:
    """Return how long handed-on work may take, within what is allowed."""
    value = arguments.get("timeout_s")
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return USUAL
    return min(timedelta(seconds=min(value, LONGEST.total_seconds())), LONGEST)


def shown(result: Result, *, who: str) -> ToolResult:
    """Return a handed-on task's result as the model reads it."""
    text = f"{who} answered:\n{result.summary or '(nothing in words)'}"
    if result.data is not None:
        text += "\n\ndata:\n" + json.dumps(result.data, ensure_ascii=False, indent=1)
    if result.artifacts:
        names = ", ".join(f"{ref.filename or ref.name} ({ref.size:,} bytes)" for ref in result.artifacts)
        text += f"\n\nIt handed in {names}: kept with your own result, not in your folder."
    return ToolResult(text=text, artifacts=result.artifacts)
