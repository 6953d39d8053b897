"""The arguments of a tool call, as a model wrote them."""

import json

from pydantic import JsonValue


def read_arguments(raw: str) -> dict[str, JsonValue] | None:
    """Return the JSON object; an empty text is an object without fields; None for anything else."""
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(word: str) -> JsonValue:
    raise ValueError(f"{word} is no JSON")
