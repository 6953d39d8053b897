"""`${…}` in an answer: filled in from the question. Pure."""

import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

PLAIN = ("model", "user", "result", "tool", "turn")
"""What may always be named, besides the groups of a rule's regular expressions."""

_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)\}")


def references(value: JsonValue) -> Iterator[str]:
    """Return the names that the texts in a value refer to; `$${` is a plain `${`."""
    if isinstance(value, str):
        for escaped, name in _REFERENCE.findall(value):
            if not escaped:
                yield name
    elif isinstance(value, list):
        for entry in value:
            yield from references(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from references(entry)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return the text with its references filled in."""
    return _REFERENCE.sub(lambda found: found[0][1:] if found[1] else values.get(found[2], ""), text)


def filled(value: JsonValue, values: Mapping[str, str]) -> JsonValue:
    """Return a value with the references in its texts filled in; keys stay."""
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value, list):
        return [filled(entry, values) for entry in value]
    if isinstance(value, dict):
        return {key: filled(entry, values) for key, entry in value.items()}
    return value
