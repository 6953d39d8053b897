"""A question in OpenAI's words, which litellm translates. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from .client import Question
from .conversation import Assistant, Message, ToolAnswer, ToolCall
from .held_schema import in_words
from .named import Access, Model


def parameters(
    question: Question,
    model: Model,
    access: Access,
    *,
    stream: bool,
    held: bool = True,
    window: int | None = None,
) -> dict[str, Any]:
    """Return what `litellm.acompletion` takes.

    Not `held`: the schema is told in words alone. `window`: the tokens that the model reads, where known.
    """
    keeps = model.provider.keeps_schemas
    held = held and (keeps or not _uses_tools(question))
    words = in_words(question.schema) if question.schema is not None and not (held and keeps) else ""
    system = "\n\n".join(filter(None, (question.system, words)))
    # OpenAI's newer models take only the longer name, which servers that speak as it does need not know.
    openai = model.provider.name == "openai" and access.address in (None, model.provider.address)
    told: dict[str, Any] = {
        "model": model.route,
        "messages": conversation(system, question.messages, model.provider.name),
        "max_completion_tokens" if openai else "max_tokens": question.max_tokens,
        "timeout": question.timeout.total_seconds(),
        "num_retries": 0,  # retries are resilient.py's
        "max_retries": 0,
        "drop_params": True,
    }
    if window is not None and model.route.startswith("ollama"):
        # Ollama reads a few thousand tokens unless it is told, and drops the rest without a word.
        told["num_ctx"] = window
    if access.sent_key is not None:
        told["api_key"] = access.sent_key
    if access.address is not None:
        told["api_base"] = access.address
    if question.tools:
        told["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
            }
            for tool in question.tools
        ]
        if not question.may_use_tools:
            told["tool_choice"] = "none"
    if held and question.schema is not None:
        told["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "schema": question.schema,
                "strict": is_strict(question.schema),
            },
        }
    if stream:
        told |= {"stream": True, "stream_options": {"include_usage": True}}
    return told


def _uses_tools(question: Question) -> bool:
    return bool(question.tools) and question.may_use_tools


def conversation(system: str, messages: Sequence[Message], provider: str) -> list[dict[str, Any]]:
    """Return the messages, the system's first."""
    told: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for message in messages:
        match message:
            case Assistant():
                if message.text.strip() or message.calls:  # some refuse an answer of nothing
                    told.append(_assistant(message, provider))
            case ToolAnswer():
                text = f"Error: {message.text}" if message.error else message.text
                told.append({"role": "tool", "tool_call_id": message.call, "content": text})
            case _:
                told.append({"role": "user", "content": message.text})
    return told


def is_strict(schema: JsonValue) -> bool:
    """Whether a schema is one that OpenAI can hold a model to: nothing optional, nothing further."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        required = schema.get("required")
        names = set(properties) if isinstance(properties, dict) else set()
        demanded = (
            {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
        )
        if schema.get("additionalProperties") is not False or names != demanded:
            return False
    return all(map(is_strict, schema.values()))


def _assistant(message: Assistant, provider: str) -> dict[str, Any]:
    told: dict[str, Any] = {"role": "assistant", "content": message.text}
    if message.calls:
        told["tool_calls"] = [_call(call) for call in message.calls]
    if message.provider == provider and isinstance(message.blocks, dict):
        of_calls = message.blocks.get("calls")
        if isinstance(of_calls, dict):
            for call in told.get("tool_calls", ()):
                if isinstance(fields := of_calls.get(call["id"]), dict):
                    call["provider_specific_fields"] = fields
        told |= {name: value for name, value in message.blocks.items() if name != "calls"}
    return told


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = call.arguments if call.arguments is not None else {"not_json": call.raw}
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": json.dumps(arguments, ensure_ascii=False)},
    }
