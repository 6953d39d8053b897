"""An answer in Anthropic's protocol: whole, in events, or as an error. Pure."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from .asked import Asked
from .decide import Counted, Given
from .pieces import chunks, words
from .script import Kind, Refusal
from .signature import signature

_STOPS = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refused": "refusal"}
_ERRORS: dict[Kind, tuple[int, str, str]] = {
    "invalid": (400, "invalid_request_error", "Bad Request"),
    "key": (401, "authentication_error", "invalid x-api-key"),
    "permission": (
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
    ),
    "no_credit": (
        400,
        "invalid_request_error",
        (
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
            "purchase credits."
        ),
    ),
    "unknown_model": (404, "not_found_error", "model not found"),
    "too_large": (413, "request_too_large", "Request exceeds the maximum size"),
    "too_long": (400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
    "rate_limited": (
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit. Please try again later.",
    ),
    "server_error": (500, "api_error", "Internal server error"),
    "timeout": (504, "timeout_error", "Request timed out"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
}


def error_body(refusal: Refusal, number: str) -> tuple[int, dict[str, JsonValue]]:
    """Return status and body of an error."""
    status, kind, message = _ERRORS[refusal.kind]
    error: dict[str, JsonValue] = {"type": kind, "message": refusal.message or message}
    return refusal.status or status, {"type": "error", "error": error, "request_id": f"req_{number}"}


def error_event(refusal: Refusal, number: str) -> bytes:
    """Return the event that ends a stream with an error."""
    return _event("error", error_body(refusal, number)[1])


def body(given: Given, asked: Asked, number: str) -> dict[str, Any]:
    """Return the whole answer."""
    content: list[dict[str, Any]] = []
    if given.thinking:
        content.append(
            {"type": "thinking", "thinking": given.thinking, "signature": signature(given.thinking)}
        )
    if given.text:
        content.append({"type": "text", "text": given.text})
    for index, call in enumerate(given.calls):
        content.append(
            {
                "type": "tool_use",
                "id": _call_id(number, index),
                "name": call.name,
                "input": _input(call.arguments),
            }
        )
    return {
        **_message(asked, number, _usage(given.counted)),
        "content": content,
        "stop_reason": _STOPS[given.stop],
        **_details(given),
    }


def events(given: Given, asked: Asked, number: str) -> Iterator[bytes]:
    """Yield the answer as server-sent events."""
    start = {**_usage(given.counted), "output_tokens": 1}
    yield _event("message_start", {"message": {**_message(asked, number, start), "content": []}})
    yield _event("ping", {})
    index = 0
    if given.thinking:
        yield _start(index, {"type": "thinking", "thinking": "", "signature": ""})
        for piece in words(given.thinking):
            yield _delta(index, {"type": "thinking_delta", "thinking": piece})
        yield _delta(index, {"type": "signature_delta", "signature": signature(given.thinking)})
        yield _stop(index)
        index += 1
    if given.text:
        yield _start(index, {"type": "text", "text": ""})
        for piece in words(given.text):
            yield _delta(index, {"type": "text_delta", "text": piece})
        yield _stop(index)
        index += 1
    for number_of, call in enumerate(given.calls):
        use = {"type": "tool_use", "id": _call_id(number, number_of), "name": call.name, "input": {}}
        yield _start(index, use)
        yield _delta(index, {"type": "input_json_delta", "partial_json": ""})
        for piece in chunks(call.arguments):
            yield _delta(index, {"type": "input_json_delta", "partial_json": piece})
        yield _stop(index)
        index += 1
    delta = {"stop_reason": _STOPS[given.stop], "stop_sequence": None, **_details(given)}
    yield _event("message_delta", {"delta": delta, "usage": _usage(given.counted)})
    yield _event("message_stop", {})


def _message(asked: Asked, number: str, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _details(given: Given) -> dict[str, Any]:
    if given.stop != "refused":
        return {}
    return {"stop_details": {"type": "refusal", "category": "general_harms", "explanation": None}}


def _usage(counted: Counted) -> dict[str, Any]:
    return {
        "input_tokens": max(0, counted.input - counted.cache_read - counted.cache_write),
        "cache_creation_input_tokens": counted.cache_write,
        "cache_read_input_tokens": counted.cache_read,
        "output_tokens": counted.output,
        "service_tier": "standard",
    }


def _call_id(number: str, index: int) -> str:
    return "toolu_" + hashlib.sha256(f"{number} {index}".encode()).hexdigest()[:24]


def _input(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _start(index: int, block: dict[str, Any]) -> bytes:
    return _event("content_block_start", {"index": index, "content_block": block})


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return _event("content_block_delta", {"index": index, "delta": delta})


def _stop(index: int) -> bytes:
    return _event("content_block_stop", {"index": index})


def _event(name: str, data: dict[str, Any]) -> bytes:
    text = json.dumps({"type": name, **data}, ensure_ascii=False)
    return f"event: {name}\ndata: {text}\n\n".encode()
