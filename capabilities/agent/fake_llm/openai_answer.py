"""An answer in OpenAI's chat completions: whole, in chunks, or as an error. Pure."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from .asked import Asked
from .decide import Counted, Given
from .pieces import chunks, words
from .script import Kind, Refusal

CREATED = 1_790_000_000
"""When each answer was made: always the same, as everything here."""

_STOPS = {"end": "stop", "tools": "tool_calls", "length": "length", "refused": "content_filter"}
_ERRORS: dict[Kind, tuple[int, str, str | None, str]] = {
    "invalid": (400, "invalid_request_error", None, "Bad request."),
    "key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "permission": (
        403,
        "invalid_request_error",
        None,
        "You have insufficient permissions for this operation.",
    ),
    "no_credit": (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "unknown_model": (
        404,
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you do not have access to it.",
    ),
    "too_large": (413, "invalid_request_error", None, "Request too large."),
    "too_long": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 128001 tokens. "
            "Please reduce the length of the messages."
        ),
    ),
    "rate_limited": (
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for requests. Please try again later.",
    ),
    "server_error": (
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    "timeout": (504, "server_error", None, "Request timed out."),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded, please try again later."),
}


def error_body(refusal: Refusal, number: str) -> tuple[int, dict[str, JsonValue]]:
    """Return status and body of an error."""
    status, kind, code, message = _ERRORS[refusal.kind]
    error: dict[str, JsonValue] = {
        "message": refusal.message or message,
        "type": kind,
        "param": refusal.param,
        "code": code,
    }
    return refusal.status or status, {"error": error}


def error_event(refusal: Refusal, number: str) -> bytes:
    """Return the event that ends a stream with an error."""
    return _event(error_body(refusal, number)[1])


def body(given: Given, asked: Asked, number: str) -> dict[str, Any]:
    """Return the whole answer."""
    refused = given.stop == "refused"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": (given.text or None) if not refused else None,
        "refusal": (given.text or "I cannot help with that.") if refused else None,
        "annotations": [],
    }
    if given.thinking:
        message["reasoning_content"] = given.thinking
    if given.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(number, index),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(given.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _STOPS[given.stop]}
    return {**_head("chat.completion", asked, number), "choices": [choice], "usage": _usage(given.counted)}


def events(given: Given, asked: Asked, number: str) -> Iterator[bytes]:
    """Yield the answer as server-sent events."""
    head = _head("chat.completion.chunk", asked, number)
    if asked.with_usage:
        head["usage"] = None

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**head, "choices": [choice]})

    yield chunk(
        {"role": "assistant", "content": "" if not given.calls or given.text else None, "refusal": None}
    )
    for piece in words(given.thinking):
        yield chunk({"reasoning_content": piece})
    said = given.text or ("I cannot help with that." if given.stop == "refused" else "")
    for piece in words(said):
        yield chunk({"refusal" if given.stop == "refused" else "content": piece})
    for index, call in enumerate(given.calls):
        function = {"name": call.name, "arguments": ""}
        start = {"index": index, "id": _call_id(number, index), "type": "function", "function": function}
        yield chunk({"tool_calls": [start]})
        for piece in chunks(call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _STOPS[given.stop])
    if asked.with_usage:
        yield _event({**head, "choices": [], "usage": _usage(given.counted)})
    yield b"data: [DONE]\n\n"


def _head(kind: str, asked: Asked, number: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": kind,
        "created": CREATED,
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def _usage(counted: Counted) -> dict[str, Any]:
    return {
        "prompt_tokens": counted.input,
        "completion_tokens": counted.output,
        "total_tokens": counted.input + counted.output,
        "prompt_tokens_details": {"cached_tokens": counted.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _call_id(number: str, index: int) -> str:
    return "call_" + hashlib.sha256(f"{number} {index}".encode()).hexdigest()[:24]


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
