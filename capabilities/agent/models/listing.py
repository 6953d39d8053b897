"""Whether a model stands in a provider's own list of its models: OpenAI's form, or Ollama's. Pure."""

import json
from typing import Any


def has_model(text: str, name: str) -> bool:
    """Whether the list names the model; a list that cannot be read, or is empty, names any."""
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return True
    rows = (data.get("data") or data.get("models")) if isinstance(data, dict) else None
    found = {
        value
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
        for key in ("id", "name", "model")
        if isinstance(value := row.get(key), str)
    }
    # Ollama takes a name without a tag for its latest.
    return not found or name in found or f"{name}:latest" in found
