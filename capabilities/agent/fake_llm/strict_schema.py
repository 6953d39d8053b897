"""What providers refuse of a schema that an answer must meet. Pure."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from .refused import Refused

_NOT_ANTHROPIC: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("maxItems", "uniqueItems", "contains"),
    "object": ("minProperties", "maxProperties", "patternProperties", "propertyNames"),
}
_LOWER = ("$defs", "definitions", "properties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")


@lru_cache(maxsize=1000)
def _mistake(text: str) -> str | None:
    from jsonschema import Draft202012Validator, SchemaError  # 50 ms that only whoever has a schema pays

    try:
        Draft202012Validator.check_schema(json.loads(text))
    except SchemaError as error:
        return str(error.message)[:200]
    return None


def check_valid(schema: Mapping[str, Any], where: str) -> None:
    """Raise Refused for what is no JSON Schema."""
    mistake = _mistake(json.dumps(schema, sort_keys=True))
    if mistake is not None:
        raise Refused(
            f"{where}: JSON schema is invalid. It must match JSON Schema draft 2020-12: {mistake}",
            param=where,
        )


def check_anthropic(schema: Mapping[str, Any]) -> None:
    """Raise Refused for what `output_config.format.schema` does not support."""
    where = "output_config.format.schema"
    for _, part in _parts(schema, ()):
        kinds = part.get("type")
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            if kind == "object" and part.get("additionalProperties") is not False:
                raise Refused(
                    f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
                )
            unknown = [key for key in _NOT_ANTHROPIC.get(str(kind), ()) if key in part]
            if unknown:
                raise Refused(
                    f"{where}: For '{kind}' type, properties {', '.join(unknown)} are not supported"
                )
            if kind == "array" and part.get("minItems", 0) not in (0, 1):
                raise Refused(
                    f"{where}: For 'array' type, 'minItems' values other than 0 or 1 are not supported"
                )


def check_openai(schema: Mapping[str, Any], name: str) -> None:
    """Raise Refused for what a strict `response_format` does not support."""
    for way, part in _parts(schema, ()):
        if part.get("type") != "object":
            continue
        place = f"Invalid schema for response_format '{name}': In context={way!r}"
        if part.get("additionalProperties") is not False:
            raise Refused(
                f"{place}, 'additionalProperties' is required to be supplied and to be false.",
                param="response_format",
            )
        missing = sorted(set(part.get("properties", {})) - set(part.get("required", ())))
        if missing:
            raise Refused(
                f"{place}, 'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{missing[0]}'.",
                param="response_format",
            )


def _parts(schema: Any, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield a schema and each schema in it."""
    if not isinstance(schema, Mapping):
        return
    yield way, schema
    for key in _LOWER:
        below = schema.get(key)
        for name, part in below.items() if isinstance(below, Mapping) else ():
            yield from _parts(part, (*way, key, str(name)))
    for key in _LISTS:
        options = schema.get(key)
        for index, part in enumerate(options if isinstance(options, list) else ()):
            yield from _parts(part, (*way, key, str(index)))
    yield from _parts(schema.get("items"), (*way, "items"))
