"""Shown: a call as the person sees it who is asked to allow it. Pure.

Whoever wrote the call may want a part of it overlooked: blanks, line breaks and long arguments hide nothing.
"""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from .clean import plain

HEAD, TAIL = 2400, 1200
"""Characters of the beginning and the end, where a call is longer than both."""
LINE_BREAK = " ⏎ "


def shown(arguments: Mapping[str, JsonValue] | None) -> str:
    """Return a call's arguments in one line, the shortest first; of a long one it says how much is left out."""
    parts = sorted((f"{name}={_in_line(value)}" for name, value in (arguments or {}).items()), key=len)
    text = plain(", ".join(parts))
    left = len(text) - HEAD - TAIL
    if left <= 0:
        return text
    return f"{text[:HEAD]} … [{left:,} CHARACTERS ARE NOT SHOWN] … {text[-TAIL:]}"


def _in_line(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return LINE_BREAK.join(" ".join(line.split()) for line in text.strip().splitlines())
