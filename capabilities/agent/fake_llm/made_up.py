"""Values that meet a JSON Schema, made up the same way each time. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

DEEPEST = 8
"""Levels below which only what must be there is made up, so that a schema that holds itself comes to an end."""

_NONE_OF_IT = frozenset({"after", "depends_on", "dependencies", "needs", "requires", "blocked_by"})
"""Lists that name other entries: a made-up name would name nothing."""
_KNOWN: Mapping[str, str] = {
    "pattern": "*",
    "path": ".",
    "command": "ls",
    "query": "picoclaw",
    "url": "http://127.0.0.1/",
}
_CANDIDATES = ("example-1", "example", "example_1", "A", "a", "1", "2026-01-01", "a@example.org")
_FORMATS: Mapping[str, str] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "a@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "hostname": "example.org",
}


def made_up(schema: Mapping[str, Any], values: Mapping[str, JsonValue], text: str = "") -> JsonValue:
    """Return a value that meets the schema as far as its plain words go.

    `values` are what keys of that name become wherever they stand; `text` is what free texts say.
    """
    return _value(schema, "", (schema, values, text), 0)


_Around = tuple[Mapping[str, Any], Mapping[str, JsonValue], str]


def _value(schema: Any, key: str, around: _Around, depth: int) -> JsonValue:
    _, values, _ = around
    if key in values:
        return values[key]
    if not isinstance(schema, Mapping) or not schema:
        return "example"
    schema = _plain(schema, around[0], depth)
    if "const" in schema:
        return schema["const"]  # type: ignore[no-any-return]
    if schema.get("enum"):
        return schema["enum"][0]  # type: ignore[no-any-return]
    match _kind(schema):
        case "object":
            return _object(schema, around, depth)
        case "array":
            return _array(schema, key, around, depth)
        case "string":
            return _string(schema, key, around[2])
        case "integer":
            return int(_number(schema))
        case "number":
            return _number(schema)
        case "boolean":
            return False
        case _:
            return None


def _plain(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """Resolve references and alternatives: the first that is not null, the null below the deepest level."""
    found = dict(schema)
    for _ in range(20):
        if isinstance(found.get("$ref"), str):
            found = {**_target(found.pop("$ref"), root), **found}
        elif options := found.pop("anyOf", None) or found.pop("oneOf", None):
            plain = [option for option in options if isinstance(option, Mapping)]
            nulls = [option for option in plain if option.get("type") == "null"]
            others = [option for option in plain if option.get("type") != "null"]
            chosen = nulls if nulls and depth >= DEEPEST else others or nulls
            found = {**found, **(chosen[0] if chosen else {})}
        elif parts := found.pop("allOf", None):
            for part in parts:
                found = _joined(found, part)
        else:
            break
    return found


def _joined(one: dict[str, Any], other: Any) -> dict[str, Any]:
    if not isinstance(other, Mapping):
        return one
    joined = {**one, **other}
    if "properties" in one and "properties" in other:
        joined["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        joined["required"] = [*one["required"], *other["required"]]
    return joined


def _target(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        found = (
            found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        )
    return found if isinstance(found, Mapping) else {}


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _object(schema: Mapping[str, Any], around: _Around, depth: int) -> JsonValue:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    names = [name for name in properties if depth < DEEPEST or name in required]
    names += [name for name in required if name not in properties]
    return {name: _value(properties.get(name, {}), name, around, depth + 1) for name in names}


def _array(schema: Mapping[str, Any], key: str, around: _Around, depth: int) -> JsonValue:
    least = int(schema.get("minItems", 0))
    number = least if key in _NONE_OF_IT or depth >= DEEPEST else max(1, least)
    number = min(number, int(schema.get("maxItems", number)))
    entries = [_value(schema.get("items", {}), "", around, depth + 1) for _ in range(number)]
    return entries


def _string(schema: Mapping[str, Any], key: str, text: str) -> str:
    pattern = schema.get("pattern")
    if pattern is not None:
        return next((one for one in _CANDIDATES if _meets(pattern, one)), _CANDIDATES[0])
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    said = _KNOWN.get(key) or text or f"example {key}".strip()
    said = said.ljust(int(schema.get("minLength", 0)), "x")
    return said[: int(schema.get("maxLength", len(said)))]


def _meets(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _number(schema: Mapping[str, Any]) -> float:
    least = schema.get("minimum")
    if least is None and "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + 1
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2) - 1)
    number = least if least is not None else min(1, most)
    step = schema.get("multipleOf")
    return float(-(-number // step) * step if step else number)
