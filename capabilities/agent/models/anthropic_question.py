"""A question in Anthropic's words. Pure."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from .client import Question
from .conversation import Assistant, Message, ToolAnswer, ToolCall, User
from .held_schema import held, in_words

PROVIDER = "anthropic"
_CACHED = {"type": "ephemeral"}
_MARKED = 2
"""Messages marked for the cache: the last, and the one that was last the turn before. Its entry is then found
however many blocks stand between the two; with tools and system these are the four marks that there may be."""
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def parameters(question: Question, name: str, *, may_hold: bool = True) -> dict[str, Any]:
    """Return what `messages.create` takes: system, tools and the conversation so far are cached.

    Without `may_hold` a schema is told in words alone.
    """
    told: dict[str, Any] = {
        "model": name,
        "max_tokens": question.max_tokens,
        "messages": conversation(question.messages),
    }
    schema = held(question.schema) if question.schema is not None and may_hold else None
    if schema is not None:
        told["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    words = in_words(question.schema) if question.schema is not None and schema is None else ""
    if system := "\n\n".join(filter(None, (question.system, words))):
        told["system"] = [{"type": "text", "text": system, "cache_control": _CACHED}]
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
        for tool in question.tools
    ]
    may_use = bool(tools) and question.may_use_tools
    if not tools:
        # A conversation in which tools were used is refused where none stand beside it.
        tools = [
            {"name": name, "description": "", "input_schema": {"type": "object"}}
            for name in _used(question.messages)
        ]
    if tools:
        told["tools"] = [*tools[:-1], {**tools[-1], "cache_control": _CACHED}]
        if not may_use:
            told["tool_choice"] = {"type": "none"}
    return told


def _used(messages: Sequence[Message]) -> list[str]:
    """Return the names of the tools that were used, each once."""
    calls = (call for message in messages if isinstance(message, Assistant) for call in message.calls)
    return list(dict.fromkeys(call.name for call in calls))


def conversation(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages; neighbours of one side are one, and nothing is empty, as Anthropic demands."""
    told: list[dict[str, Any]] = []
    for message in messages:
        role = "assistant" if isinstance(message, Assistant) else "user"
        blocks = _assistant(message) if isinstance(message, Assistant) else _user(message)
        if not blocks:
            continue
        if told and told[-1]["role"] == role:
            told[-1]["content"] += blocks
        else:
            told.append({"role": role, "content": blocks})
    for asked in [one for one in told if one["role"] == "user"][-_MARKED:]:
        asked["content"][-1] = {**asked["content"][-1], "cache_control": _CACHED}
    return told


def _user(message: User | ToolAnswer) -> list[dict[str, Any]]:
    if isinstance(message, User):
        return [{"type": "text", "text": message.text}] if message.text.strip() else []
    answer: dict[str, Any] = {
        "type": "tool_result",
        "tool_use_id": _id(message.call),
        "content": message.text,
    }
    if message.error:
        answer["is_error"] = True
    return [answer]


def _assistant(message: Assistant) -> list[dict[str, Any]]:
    if message.provider == PROVIDER and isinstance(message.blocks, list):
        return [dict(block) for block in message.blocks if isinstance(block, dict)]
    text = [{"type": "text", "text": message.text}] if message.text.strip() else []
    return [*text, *map(_call, message.calls)]


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = call.arguments if call.arguments is not None else {"not_json": call.raw}
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": arguments}


def _id(call: str) -> str:
    """Return a call's id as Anthropic takes it: other providers' may hold more."""
    return call if _ID.fullmatch(call) else f"toolu_{hashlib.sha256(call.encode()).hexdigest()[:32]}"
