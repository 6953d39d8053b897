"""What a model is told of an MCP server's tools: names, descriptions and schemas that any provider takes. Pure.

A server is a stranger. Its names are made safe, its words are cut, and a schema that lies, that points
elsewhere or that a check could be hung with is not taken as it stands.
"""

import hashlib
import json
import re
from collections.abc import Container, Mapping
from typing import Any

PREFIX = "mcp"
LONGEST_NAME = 64
"""Characters: the strictest provider's limit."""
LONGEST_DESCRIPTION = 1000
LARGEST_SCHEMA = 32 * 2**10
DEEPEST_SCHEMA = 24

_OTHER = re.compile(r"[^a-zA-Z0-9_-]+")
_CONTROL = re.compile(
    r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\U000e0000-\U000e007f]"
)
_NAMED_SCHEMAS = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_SCHEMAS = frozenset({"items", "prefixItems", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
                      "additionalProperties", "contains", "propertyNames"})  # fmt: skip
_LEFT_OUT = frozenset({"pattern", "patternProperties", "$schema", "$id", "$anchor", "$dynamicRef",
                       "$dynamicAnchor", "$recursiveRef", "$vocabulary", "unevaluatedItems",
                       "unevaluatedProperties"})  # fmt: skip
"""A pattern of a stranger can hang whoever tries it, and so can what looks for what others left over; the rest
names other places."""


class SchemaRefused(ValueError):
    """Raised for a schema that no model is told of; the message says what is wrong with it."""


def tool_name(server: str, tool: str, taken: Container[str] = ()) -> str:
    """Return `mcp__SERVER__TOOL`; where that is too long or taken already, with six digits of its digest."""
    name = f"{PREFIX}__{_clean(server)[:24]}__{_clean(tool)}"
    if len(name) <= LONGEST_NAME and name not in taken:
        return name
    digest = hashlib.sha256(f"{server}\0{tool}".encode("utf-8", "replace")).hexdigest()[:6]
    return f"{name[: LONGEST_NAME - 7]}_{digest}"


def _clean(text: str) -> str:
    return _OTHER.sub("-", text).strip("-") or "x"


def description(server: str, said: str) -> str:
    """Return what a server says of its tool, marked as the server's words, cut and in plain characters."""
    text = _CONTROL.sub(" ", said).strip()
    if len(text) > LONGEST_DESCRIPTION:
        text = text[:LONGEST_DESCRIPTION].rstrip() + " … (cut)"
    return (
        f"[MCP server {_CONTROL.sub(' ', server)[:64]}] {text}" if text else f"A tool of MCP server {server}."
    )


def schema(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool's schema of arguments as a model is told of it, and as arguments are checked by.

    Patterns are left out: the server checks them itself. Raises SchemaRefused.
    """
    try:
        size = len(json.dumps(raw))
    except (TypeError, ValueError, RecursionError):
        raise SchemaRefused("its schema is no plain JSON") from None
    if size > LARGEST_SCHEMA:
        raise SchemaRefused(f"its schema has over {LARGEST_SCHEMA // 2**10} KB")
    found = _schema(raw, 0)
    assert isinstance(found, dict)
    if found.setdefault("type", "object") != "object":
        raise SchemaRefused("its arguments are no object")
    if not isinstance(found.setdefault("properties", {}), dict):
        raise SchemaRefused("its properties are no object")
    _check_references(found)
    _check_whole(found)
    return found


def _check_whole(found: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    from ..bounded_schema import TooMuchWork, bounded

    try:
        Draft202012Validator.check_schema(found)
        bounded(found).is_valid({})
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path))[:60]
        raise SchemaRefused(f"its schema is wrong at {where or 'its top'}") from None
    except TooMuchWork:
        raise SchemaRefused("its schema unfolds to too much to be checked") from None
    except RecursionError:
        raise SchemaRefused("its schema refers to itself without end") from None


def _schema(node: Any, depth: int) -> Any:
    if depth > DEEPEST_SCHEMA:
        raise SchemaRefused("its schema is nested too deep")
    if isinstance(node, list):
        return [_schema(entry, depth + 1) for entry in node]
    if not isinstance(node, Mapping):
        return node
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if key in _LEFT_OUT:
            continue
        if key == "$ref" and not (isinstance(value, str) and value.startswith("#")):
            raise SchemaRefused("its schema refers to another document")
        if key in _NAMED_SCHEMAS and isinstance(value, Mapping):
            kept[key] = {name: _schema(inner, depth + 1) for name, inner in value.items()}
        elif key == "items" and isinstance(value, list):
            kept["prefixItems"] = _schema(value, depth + 1)  # as drafts before 2020-12 have it
        elif key in _SCHEMAS:
            kept[key] = _schema(value, depth + 1)
        elif key in ("description", "title") and isinstance(value, str):
            kept[key] = _CONTROL.sub(" ", value)[:LONGEST_DESCRIPTION]
        else:
            kept[key] = value
    return kept


def _check_references(root: dict[str, Any]) -> None:
    """Refuse what refers to nothing, and what a check would follow for ever without reading an argument."""
    for node in _nodes(root):
        seen: list[int] = []
        while isinstance(node, Mapping) and "$ref" in node:
            if id(node) in seen or len(seen) > DEEPEST_SCHEMA:
                raise SchemaRefused("its schema refers to itself without end")
            seen.append(id(node))
            node = _pointed(root, node["$ref"])


def _nodes(node: Any) -> list[Any]:
    found: list[Any] = [node]
    for one in found:
        inner = one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
        found += [value for value in inner if isinstance(value, Mapping | list)]
    return found


def _pointed(root: dict[str, Any], reference: Any) -> Any:
    if not isinstance(reference, str):
        return None  # a property that is called $ref, or an example
    node: Any = root
    for part in reference.removeprefix("#").removeprefix("/").split("/") if reference != "#" else ():
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            raise SchemaRefused(f"its schema refers to {reference[:60]}, which is not there")
    return node
