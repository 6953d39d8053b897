"""Traced: the span of one question to one model."""

import json

from pydantic import JsonValue

from ....swarm.tracing import names
from ....swarm.tracing.spans import Value, span
from .client import ModelClient, OnText, Question
from .conversation import Assistant, Message, ToolAnswer, Turn
from .named import read_model


async def ask_traced(client: ModelClient, question: Question, on_text: OnText | None) -> Turn:
    """Ask as `ModelClient.ask`, in a span where somebody traces."""
    model = read_model(question.model)
    about: dict[str, Value] = {
        names.PROVIDER: names.PROVIDERS.get(model.provider.name, model.provider.name),
        names.REQUEST_MODEL: model.name,
        names.REQUEST_MAX_TOKENS: question.max_tokens,
    }
    with span(model.name, names.CHAT, about) as here:
        if here.content:
            asked = [as_message(message) for message in question.messages]
            here.set(
                {
                    names.SYSTEM_INSTRUCTIONS: in_json([text_part(question.system)]),
                    names.INPUT_MESSAGES: in_json(asked),
                }
            )
        turn = await client.ask(question, on_text)
        here.set(
            {
                names.RESPONSE_MODEL: turn.model.partition("/")[2] or turn.model,
                names.FINISH_REASONS: (names.STOPS[turn.stop],),
                names.INPUT_TOKENS: turn.usage.input,
                names.OUTPUT_TOKENS: turn.usage.output,
                names.CACHE_READ_TOKENS: turn.usage.cache_read,
                names.CACHE_WRITE_TOKENS: turn.usage.cache_write,
            }
        )
        if here.content:
            said = {**as_message(turn.message), "finish_reason": names.STOPS[turn.stop]}
            here.set({names.OUTPUT_MESSAGES: in_json([said])})
        return turn


def as_message(message: Message) -> dict[str, JsonValue]:
    """Return a message in the form of the conventions: a role and parts. Pure."""
    parts: list[JsonValue]
    if isinstance(message, ToolAnswer):
        parts = [{"type": "tool_call_response", "id": message.call, "response": message.text}]
    else:
        parts = [text_part(message.text)] if message.text else []
    if isinstance(message, Assistant):
        parts += [
            {
                "type": "tool_call",
                "id": call.id,
                "name": call.name,
                "arguments": call.raw if call.arguments is None else call.arguments,
            }
            for call in message.calls
        ]
    return {"role": message.role, "parts": parts}


def text_part(text: str) -> dict[str, JsonValue]:
    """Return a text in that form. Pure."""
    return {"type": "text", "content": text}


def in_json(value: list[dict[str, JsonValue]]) -> str:
    """Return a value as the text of an attribute. Pure."""
    return json.dumps(value, ensure_ascii=False)
