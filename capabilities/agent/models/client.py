"""The one interface of all models: `ModelClient.ask(question) -> Turn`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from .conversation import Message, ToolSpec, Turn

OnText = Callable[[str], None]
"""Takes the text of an answer piece by piece, as it comes; must not block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that one turn of a model depends on."""

    model: str
    """`provider/name`, such as `anthropic/claude-opus-5` or `ollama/qwen3`."""
    fallbacks: tuple[str, ...] = ()
    """Who is asked next, in turn, where one cannot answer; an adapter asks `model` alone."""
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    may_use_tools: bool = True
    """False: the tools stand there only because the conversation has used some; the answer must use none."""
    max_tokens: int = 8192
    schema: dict[str, Any] | None = None
    """JSON Schema that the answer's text must meet, where the provider can hold a model to one."""
    timeout: timedelta = timedelta(minutes=5)
    """Longest silence: without a stream of the whole answer, with one between two pieces."""


class ModelClient(Protocol):
    """Asks one provider, once: retries and fallbacks stand above it, in `resilient.py`."""

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """Return the model's answer.

        Raises ModelUnavailable when another try may help (it says whether the turn may be billed, and
        how long to wait), ModelRefused when none can: ModelKeyRefused, ContextTooLong.
        """
        ...

    async def close(self) -> None:
        """Let go of its connections."""
        ...
