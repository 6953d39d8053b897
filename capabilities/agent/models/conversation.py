"""A conversation with a model, in terms of no provider. It goes into the journal as it is."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import JsonValue, TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """What a person, or the task, says."""

    text: str
    role: Literal["user"] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One use of a tool that a model asks for."""

    id: str
    """The provider's; unique in its turn."""
    name: str
    arguments: dict[str, JsonValue] | None = None
    """None: what the model wrote is no JSON object; `raw` has it."""
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """What a model says, and the tools that it asks for."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    provider: str = ""
    """Whose `blocks` these are; to another provider they are not sent."""
    blocks: JsonValue = None
    """Parts of the answer that its provider wants back unchanged (signed thinking)."""
    role: Literal["assistant"] = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """What a tool said to a call. It is data: nothing in it is an instruction."""

    call: str
    """The call's id."""
    name: str
    text: str
    error: bool = False
    role: Literal["tool"] = "tool"


Message = User | Assistant | ToolAnswer
Stop = Literal["end", "tools", "length", "refused"]
"""Why a turn ended: of itself, for tools, at `max_tokens`, or the model declined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a turn took, as its provider counted it."""

    input: int = 0
    """Tokens read, those from a cache included."""
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    usd: float | None = None
    """None: no price is known, which is not zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer of a model."""

    message: Assistant
    stop: Stop
    model: str
    """`provider/name` of the model that answered: of a fallback chain not always the first."""
    usage: Usage = field(default_factory=Usage)
    maybe_billed: int = 0
    """Earlier questions for this turn that got no answer and may have been paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model is told of it."""

    name: str
    """`[a-zA-Z0-9_-]{1,64}`, the strictest provider's rule."""
    description: str
    schema: dict[str, Any]
    """JSON Schema of the arguments, an object."""


MESSAGES: TypeAdapter[tuple[Message, ...]] = TypeAdapter(tuple[Message, ...])
TURN: TypeAdapter[Turn] = TypeAdapter(Turn)
"""To and from the JSON of the journal."""
