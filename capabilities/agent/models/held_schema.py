"""A JSON Schema as Anthropic can hold an answer to it: closed objects, few keywords. Pure."""

import json
from collections.abc import Mapping
from typing import Any

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_SILENT = frozenset(
    {"$schema", "$id", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly"}
)
"""What says nothing of an answer."""


class _Open(Exception):
    """Raised for a schema that leaves open what Anthropic wants closed."""


def held(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema as `output_config` takes it; None where it cannot be held to.

    What meets the result meets the schema, but for limits (`maximum`, `maxLength`…), which are only described.
    """
    try:
        return _part(schema)
    except (_Open, RecursionError):
        return None


def in_words(schema: Mapping[str, Any]) -> str:
    """Return what a system prompt says of a schema that cannot be held to."""
    return (
        "Answer with one JSON value and nothing else: no words around it, no code fence. It must meet this "
        f"JSON Schema:\n{json.dumps(schema, ensure_ascii=False)}"
    )


def _part(part: Any) -> dict[str, Any]:
    if not isinstance(part, Mapping):
        raise _Open
    left = {key: value for key, value in part.items() if key not in _SILENT}
    told: dict[str, Any] = {}
    if isinstance(defs := left.pop("$defs", None), Mapping):
        told["$defs"] = {name: _part(one) for name, one in defs.items()}
    if isinstance(ref := left.pop("$ref", None), str):
        return {**told, "$ref": ref}
    for key in ("title", "description"):
        if isinstance(value := left.pop(key, None), str):
            told[key] = value
    kind = left.pop("type", None)
    options = left.pop("anyOf", None) or left.pop("oneOf", None)
    if isinstance(kind, list):
        options, kind = [{**left, "type": one} for one in kind], None
        left = {}
    if isinstance(options, list):
        told["anyOf"] = [_part(one) for one in options]
    elif "enum" in left or "const" in left:
        told |= {key: left.pop(key) for key in ("enum", "const") if key in left}
    else:
        told |= _typed(kind, left)
    if left:
        limits = ", ".join(f"{key}: {json.dumps(value)}" for key, value in left.items())
        told["description"] = "\n\n".join(filter(None, (told.get("description"), f"({limits})")))
    return told


def _typed(kind: object, left: dict[str, Any]) -> dict[str, Any]:
    """Return what goes with a type, and take it out of `left`."""
    match kind:
        case "object":
            properties = left.pop("properties", None)
            if not isinstance(properties, Mapping) or left.pop("additionalProperties", False) is not False:
                raise _Open
            if "patternProperties" in left:
                raise _Open
            told = {
                "type": "object",
                "properties": {name: _part(one) for name, one in properties.items()},
                "additionalProperties": False,
            }
            if "required" in left:
                told["required"] = left.pop("required")
            return told
        case "array":
            told = {"type": "array", "items": _part(left.pop("items", None))}
            if left.get("minItems") in (0, 1):
                told["minItems"] = left.pop("minItems")
            return told
        case "string":
            return {"type": "string"} | (
                {"format": left.pop("format")} if left.get("format") in _FORMATS else {}
            )
        case "integer" | "number" | "boolean" | "null":
            return {"type": kind}
        case _:
            raise _Open
