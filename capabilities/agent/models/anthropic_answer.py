"""An answer of Anthropic's, put together from its stream."""

import json
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from .anthropic_question import PROVIDER
from .bounds import Size, tokens
from .client import OnText
from .conversation import Assistant, Stop, ToolCall, Turn, Usage
from .named import Model
from .tool_arguments import read_arguments

if TYPE_CHECKING:
    from anthropic.types import RawMessageStreamEvent

_STOPS: dict[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "pause_turn": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}
_KEPT = frozenset({"thinking", "redacted_thinking"})
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class Malformed(Exception):
    """Raised when the stream is not in Anthropic's form."""


class Cut(Exception):
    """Raised when the stream ended before the answer did."""


class Answer:
    """Takes the events of one stream, in turn."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._blocks: list[dict[str, Any]] = []
        self._json: dict[int, str] = {}
        self._size = Size()
        self._usage: dict[str, int] = {}
        self._stop: str | None = None
        self._ended = False

    def take(self, event: "RawMessageStreamEvent") -> None:
        """Take one event; text goes on at once. Raises Malformed, and Endless for a stream without end."""
        match event.type:
            case "message_start":
                self._count(event.message.usage)
            case "content_block_start":
                if event.index != len(self._blocks):
                    raise Malformed(f"block {event.index} where {len(self._blocks)} is due")
                self._blocks.append(event.content_block.to_dict())
                self._say(event.content_block.text if event.content_block.type == "text" else "")
            case "content_block_delta":
                self._add(event.index, event.delta)
            case "message_delta":
                self._count(event.usage)
                self._stop = event.delta.stop_reason or self._stop
            case "message_stop":
                self._ended = True
            case _:  # the end of a block, or what a newer server adds
                pass

    def turn(self, model: Model) -> Turn:
        """Return the whole answer. Raises Cut when its end never came."""
        if not self._ended or self._stop is None:
            raise Cut
        calls = tuple(
            self._call(index) for index, block in enumerate(self._blocks) if block["type"] == "tool_use"
        )
        keep = any(block["type"] in _KEPT for block in self._blocks)
        return Turn(
            message=Assistant(
                text="".join(block["text"] for block in self._blocks if block["type"] == "text"),
                calls=calls,
                provider=PROVIDER,
                blocks=self._kept(calls) if keep else None,
            ),
            stop=_STOPS.get(self._stop, "end"),
            model=str(model),
            usage=self._used(),
        )

    def _say(self, text: str) -> None:
        if text:
            self._on_text(text)

    def _add(self, index: int, delta: Any) -> None:
        if not 0 <= index < len(self._blocks):
            raise Malformed(f"a piece of block {index}, which has not begun")
        block = self._blocks[index]
        match delta.type:
            case "text_delta":
                self._size.take(delta.text)
                block["text"] = block.get("text", "") + delta.text
                self._say(delta.text)
            case "input_json_delta":
                self._size.take(delta.partial_json)
                self._json[index] = self._json.get(index, "") + delta.partial_json
            case "thinking_delta":
                self._size.take(delta.thinking)
                block["thinking"] = block.get("thinking", "") + delta.thinking
            case "signature_delta":
                self._size.take(delta.signature)
                block["signature"] = block.get("signature", "") + delta.signature
            case _:  # citations are for readers of documents, which we do not send
                pass

    def _call(self, index: int) -> ToolCall:
        block = self._blocks[index]
        raw = self._json.get(index, "")
        arguments = read_arguments(raw) if raw else block.get("input")
        if not isinstance(arguments, dict):
            return ToolCall(id=block["id"], name=block["name"], raw=raw)
        return ToolCall(id=block["id"], name=block["name"], arguments=arguments)

    def _kept(self, calls: tuple[ToolCall, ...]) -> JsonValue:
        """Return all blocks as they came, since signed thinking must stand where it stood."""
        left = iter(calls)
        kept: list[JsonValue] = []
        for block in self._blocks:
            if block["type"] == "tool_use":
                call = next(left)
                block = {
                    **block,
                    "input": call.arguments if call.arguments is not None else {"not_json": call.raw},
                }
            elif block["type"] == "text" and not block["text"].strip():
                continue
            kept.append(json.loads(json.dumps(block)))
        return kept

    def _count(self, usage: Any) -> None:
        for name in _COUNTS:
            count = tokens(getattr(usage, name, None))
            if count is not None:
                self._usage[name] = count

    def _used(self) -> Usage:
        read = self._usage.get("cache_read_input_tokens", 0)
        write = self._usage.get("cache_creation_input_tokens", 0)
        return Usage(
            input=self._usage.get("input_tokens", 0) + read + write,
            output=self._usage.get("output_tokens", 0),
            cache_read=read,
            cache_write=write,
        )
