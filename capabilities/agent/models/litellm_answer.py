"""An answer in OpenAI's words, as litellm gives it: whole, or put together from its chunks."""

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from .bounds import Size, tokens
from .client import OnText
from .conversation import Assistant, Stop, ToolCall, Turn, Usage
from .named import Model
from .tool_arguments import read_arguments

_STOPS: dict[str, Stop] = {
    "stop": "end",
    "tool_calls": "tools",
    "function_call": "tools",
    "length": "length",
    "content_filter": "refused",
    "refusal": "refused",
}
_KEPT = ("thinking_blocks", "reasoning_content")
"""What some providers want back unchanged with the next question of a loop of tools."""


_DEAREST = 10_000.0
"""USD of one turn: more is no price, and would spend every budget for ever."""


class Cut(Exception):
    """Raised when the stream ended before the answer did."""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    raw: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    def plain(self, place: int) -> ToolCall:
        return ToolCall(
            id=self.id or f"call_{place}", name=self.name, arguments=read_arguments(self.raw), raw=self.raw
        )


def whole_turn(model: Model, response: Any) -> Turn:
    """Return the turn of an answer that came as one. Raises Cut when it holds no answer."""
    if not response.choices or response.choices[0].message is None:
        raise Cut
    choice = response.choices[0]
    calls = [
        _Call(
            id=call.id or "",
            name=call.function.name or "",
            raw=call.function.arguments or "",
            fields=_fields(call),
        )
        for call in choice.message.tool_calls or ()
    ]
    kept = {name: value for name in _KEPT if (value := getattr(choice.message, name, None))}
    return _turn(
        model, choice.message.content or "", calls, kept, choice.finish_reason, _used(model, response)
    )


class StreamedAnswer:
    """Takes the chunks of one stream, in turn."""

    def __init__(self, model: Model, on_text: OnText) -> None:
        self._model = model
        self._on_text = on_text
        self._text: list[str] = []
        self._calls: list[_Call] = []
        self._open: dict[int, _Call] = {}
        """The call that further pieces of each number belong to."""
        self._reasoning: list[str] = []
        self._thinking: list[JsonValue] = []
        self._stop: str | None = None
        self._usage: Usage | None = None
        self._size = Size()

    def take(self, chunk: Any) -> None:
        """Take one chunk; text goes on at once. Raises Endless for a stream without end."""
        self._usage = _used(self._model, chunk) or self._usage
        for choice in (chunk.choices or ())[:1]:
            self._stop = choice.finish_reason or self._stop
            delta = choice.delta
            if delta is None:
                continue
            self._size.take(delta.content, getattr(delta, "reasoning_content", None))
            if delta.content:
                self._text.append(delta.content)
                self._on_text(delta.content)
            self._reasoning.append(getattr(delta, "reasoning_content", None) or "")
            self._thinking += json.loads(
                json.dumps(getattr(delta, "thinking_blocks", None) or [], default=str)
            )
            for call in delta.tool_calls or ():
                self._add(call)

    def turn(self) -> Turn:
        """Return the whole answer. Raises Cut when its end never came."""
        if self._stop is None:
            raise Cut
        kept: dict[str, Any] = {}
        if self._thinking:
            kept["thinking_blocks"] = self._thinking
        if reasoning := "".join(self._reasoning):
            kept["reasoning_content"] = reasoning
        return _turn(self._model, "".join(self._text), self._calls, kept, self._stop, self._usage)

    def _add(self, piece: Any) -> None:
        index = piece.index if isinstance(piece.index, int) else len(self._calls)
        named = piece.function.name if piece.function is not None else None
        call = self._open.get(index)
        # Some servers number every call 0: another id with a name is another call.
        if call is None or (named and piece.id and call.id and piece.id != call.id):
            call = self._open[index] = _Call()
            self._calls.append(call)
        call.id = piece.id or call.id
        call.fields |= _fields(piece)
        if piece.function is not None:
            self._size.take(piece.function.arguments)
            call.name = named or call.name
            call.raw += piece.function.arguments or ""


def _turn(
    model: Model, text: str, calls: list[_Call], kept: dict[str, Any], stop: str | None, usage: Usage | None
) -> Turn:
    plain = tuple(call.plain(place) for place, call in enumerate(calls))
    fields = {call.id: call.fields for call in calls if call.fields}
    blocks = {**kept, **({"calls": fields} if fields else {})} if calls else {}
    ended = _STOPS.get(stop or "", "end")
    return Turn(
        message=Assistant(
            text=text,
            calls=plain,
            provider=model.provider.name,
            blocks=json.loads(json.dumps(blocks, default=str)) if blocks else None,
        ),
        stop="tools" if plain and ended == "end" else ended,  # Ollama and others say `stop` there
        model=str(model),
        usage=usage or Usage(),
    )


def _fields(call: Any) -> dict[str, Any]:
    fields = getattr(call, "provider_specific_fields", None)
    return dict(fields) if isinstance(fields, dict) else {}


def _used(model: Model, holder: Any) -> Usage | None:
    """Return the provider's own count; of a stream, only the chunk that carries it has one."""
    usage = getattr(holder, "usage", None)
    if usage is None:
        return None
    details = getattr(usage, "prompt_tokens_details", None)
    read = _count(details, "cached_tokens") or _count(usage, "cache_read_input_tokens")
    write = _count(usage, "cache_creation_input_tokens") or _count(details, "cache_creation_tokens")
    return Usage(
        input=max(_count(usage, "prompt_tokens"), read + write),
        output=_count(usage, "completion_tokens"),
        cache_read=read,
        cache_write=write,
        usd=_cost(getattr(usage, "cost", None)) if model.provider.tells_cost else None,
    )


def _cost(told: object) -> float | None:
    """Return what a provider says that a turn cost; None for what is no price."""
    well = isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told <= _DEAREST
    return float(told) if well else None  # type: ignore[arg-type]


def _count(holder: Any, name: str) -> int:
    return tokens(getattr(holder, name, None)) or 0
