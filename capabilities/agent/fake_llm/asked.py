"""A question as it came in, in terms of no protocol."""

from dataclasses import dataclass
from typing import Any, Literal

from ..models.conversation import Assistant, Message, ToolAnswer, ToolSpec, User

Protocol = Literal["anthropic", "openai"]

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb that is good enough for figures that nobody pays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for an answer."""

    protocol: Protocol
    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    forced: str | None = None
    """The tool that must be used; an empty text: any."""
    schema: dict[str, Any] | None = None
    max_tokens: int | None = None
    stream: bool = False
    with_usage: bool = True
    """Whether a stream ends with its usage (OpenAI's `stream_options`)."""
    thinking: bool = False
    tokens: int = 0
    """About how many it is long."""

    @property
    def turn(self) -> int:
        """The number of the answer that is wanted, from 1: in this conversation, not on this server."""
        return 1 + sum(isinstance(message, Assistant) for message in self.messages)

    @property
    def user(self) -> str:
        """What a person said last; empty if nobody has."""
        said = [message.text for message in self.messages if isinstance(message, User)]
        return said[-1] if said else ""

    @property
    def results(self) -> tuple[ToolAnswer, ...]:
        """What the tools said to the last answer, if the conversation ends with that."""
        found: list[ToolAnswer] = []
        for message in reversed(self.messages):
            if isinstance(message, Assistant):
                break
            if isinstance(message, ToolAnswer):
                found.append(message)
        return tuple(reversed(found))


def about_tokens(characters: int) -> int:
    """Return about how many tokens so many characters are; at least 1."""
    return max(1, characters // CHARACTERS_PER_TOKEN)
