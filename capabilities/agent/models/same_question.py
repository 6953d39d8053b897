"""When two questions are the same one: their plain form, its digest, and what differs. Pure.

The plain form is that of no provider: what one protocol merges, numbers or drops on the way makes no
difference, nor do the model asked and the name of the request.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from .client import Question
from .conversation import Assistant, Message, ToolAnswer, ToolCall

_REQUEST = re.compile(r"\br-[a-z2-7]{16}\b")
"""A request's id: another one each time that the same is asked."""
_EXCERPT = 60

Plain = dict[str, Any]


def plain(question: Question) -> Plain:
    """Return the plain form of a question, as JSON has it."""
    told = {
        "system": question.system,
        "messages": _messages(question),
        "tools": [
            {"name": tool.name, "description": tool.description, "schema": tool.schema}
            for tool in (question.tools if question.may_use_tools else ())
        ],
        "schema": question.schema,
        "max_tokens": question.max_tokens,
    }
    found: Plain = json.loads(_REQUEST.sub("r-*", json.dumps(told, ensure_ascii=False)))
    return found


def digest(form: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a plain form."""
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _messages(question: Question) -> list[Plain]:
    told: list[Plain] = []
    for message in question.messages:
        one = _message(message)
        if one["role"] == "user" and not one["text"].strip():
            continue
        if told and one["role"] == told[-1]["role"] == "user":
            told[-1]["text"] += "\n" + one["text"]
        else:
            told.append(one)
    return told


def _message(message: Message) -> Plain:
    match message:
        case Assistant():
            text = message.text if message.text.strip() else ""
            return {"role": "assistant", "text": text, "calls": [_call(call) for call in message.calls]}
        case ToolAnswer():
            # Where a protocol has no flag for it, the text says so.
            text = message.text.removeprefix("Error: ") if message.error else message.text
            return {"role": "tool", "name": message.name, "text": f"Error: {text}" if message.error else text}
        case _:
            return {"role": "user", "text": message.text}


def _call(call: ToolCall) -> Plain:
    arguments: JsonValue = call.arguments
    if arguments is None:
        try:
            arguments = json.loads(call.raw)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            arguments = {"not_json": call.raw}
    return {"name": call.name, "arguments": arguments}


def difference(wanted: Plain, recorded: Plain) -> tuple[int, str]:
    """Return how much two questions have in common, more is nearer, and in words where they first differ."""
    ours, theirs = wanted["messages"], recorded["messages"]
    alike = 0
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            break
        alike += 1
    others = [key for key in ("system", "tools", "schema", "max_tokens") if wanted[key] != recorded.get(key)]
    near = 10 * alike - len(others) - abs(len(ours) - len(theirs))
    if others:
        return near, f"{others[0]}: {_shown(wanted[others[0]], recorded.get(others[0]))}"
    if alike < min(len(ours), len(theirs)):
        one, other = ours[alike], theirs[alike]
        if one["role"] != other["role"]:
            return near, f"message {alike + 1}: it is the {one['role']}'s, recorded was the {other['role']}'s"
        key = next(key for key in (*one, *other) if one.get(key) != other.get(key))
        return near, f"message {alike + 1}, {one['role']}'s {key}: {_shown(one.get(key), other.get(key))}"
    return near, f"it has {len(ours)} messages, recorded were {len(theirs)}"


def _shown(one: JsonValue, other: JsonValue) -> str:
    """Return both from a little before where they part."""
    texts = [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in (one, other)
    ]
    pairs = zip(texts[0], texts[1], strict=False)
    at = next((index for index, (a, b) in enumerate(pairs) if a != b), min(map(len, texts)))
    start = max(0, at - _EXCERPT // 3)
    cut = [("…" if start else "") + text[start : start + _EXCERPT] for text in texts]
    return f"{cut[0]!r}, recorded was {cut[1]!r}"
