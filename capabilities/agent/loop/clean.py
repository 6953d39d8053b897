"""Clean: what models and tools say, as a journal can carry it. Pure."""

import json

from pydantic import JsonValue

from ....swarm.nesting import DEEPEST, too_deep

HEAD, TAIL = 20_000, 10_000
"""Characters of a tool's answer that the model is shown, from its beginning and its end."""


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
