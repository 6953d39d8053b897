"""Size: how many tokens a conversation takes, as far as it can be told before it is sent. Pure."""

import json
from collections.abc import Sequence

from ..models.conversation import MESSAGES, Message, ToolSpec
from .state import State

PER_TOKEN = 3.0
"""Characters of a token, on the careful side: prose has four, code and other alphabets have fewer."""


def tokens_of(text: str) -> int:
    """Return about how many tokens a text takes."""
    return int(len(text.encode("utf-8", "surrogatepass")) / PER_TOKEN) + 1


def overhead_of(system: str, tools: Sequence[ToolSpec]) -> int:
    """Return about how many tokens stand before every conversation."""
    described = (f"{tool.name} {tool.description} {json.dumps(tool.schema)}" for tool in tools)
    return tokens_of(system) + sum(map(tokens_of, described))


def size_of(messages: tuple[Message, ...]) -> int:
    """Return about how many tokens some messages take."""
    return int(len(MESSAGES.dump_json(messages)) / PER_TOKEN)


def estimate(state: State, overhead: int) -> int:
    """Return about how many tokens the next question has: what was counted, and what came since."""
    if state.reading:
        return state.reading + size_of(state.messages[state.read :])
    return overhead + size_of(state.messages)
