"""Clean: what models and tools say, as a journal can carry it. Pure."""

import json
import re
from dataclasses import replace

from pydantic import JsonValue

from ....swarm.nesting import DEEPEST, too_deep
from ..models.conversation import ToolCall, Turn

HEAD, TAIL = 20_000, 10_000
"""Characters of a tool's answer that the model is shown, from its beginning and its end."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def clean(value: JsonValue) -> JsonValue:
    """Return a value without what UTF-8 cannot say; one that is nested too deep as its text."""
    try:
        data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    except RecursionError:
        return f"(a value nested deeper than {DEEPEST} levels)"
    if too_deep(data):
        return data.decode()
    found: JsonValue = json.loads(data)
    return found


def plain(text: str) -> str:
    """Return a text without what UTF-8 cannot say."""
    return text.encode("utf-8", "replace").decode()


def is_long(text: str) -> bool:
    """Return whether a tool's answer is cut."""
    return len(text) > HEAD + TAIL


def cut(text: str, where: str) -> str:
    """Return the beginning and the end of a tool's answer, and in words `where` the whole lies."""
    left = len(text) - HEAD - TAIL
    return f"{text[:HEAD]}\n\n[… {left} characters are left out here; {where} …]\n\n{text[-TAIL:]}"


def sound(turn: Turn, number: int) -> Turn:
    """Return a turn whose calls can be journaled, answered and sent back, whatever its provider let through.

    Each has an id of its own and a name that a tool could have; arguments that are nested too deep are none.
    """
    ids = [call.id for call in turn.message.calls]
    own = all(ids) and len(set(ids)) == len(ids)
    calls = tuple(
        _sound(call, call.id if own else f"call_{number}_{n}") for n, call in enumerate(turn.message.calls)
    )
    if calls == turn.message.calls:
        return turn
    # What its provider wants back unchanged would still hold what was changed here.
    return replace(turn, message=replace(turn.message, calls=calls, blocks=None))


def _sound(call: ToolCall, id: str) -> ToolCall:
    name = _NOT_IN_NAMES.sub("_", call.name)[:64] or "unnamed"
    call = replace(call, id=id, name=name)
    if isinstance(clean(call.arguments), dict):
        return call
    return replace(call, arguments=None, raw=call.raw[:1000])
