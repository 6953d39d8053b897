"""JSON Schema of the YAML file, for editors: made from the one table of keys."""

from collections.abc import Mapping
from typing import Any

from .keys import KEYS, Key
from .manual import EXAMPLES, MEANING, default_of
from .urls import SCHEMES

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NUMBER = r"[0-9]{1,12}(\.[0-9]{1,9})?"
_DURATION = rf"^\s*(?=[0-9])({_NUMBER}h)?({_NUMBER}m)?({_NUMBER}s)?({_NUMBER}ms)?\s*$"
_REFERENCE: Mapping[str, Any] = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-.*)?\}"}
"""Text with an environment variable in it, whose value nobody knows here."""
_SCALAR: Mapping[str, Any] = {"type": ["string", "number", "boolean"]}
"""Taken as it is written, so `hid: 007` is fine."""


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12); an empty file, section or setting is allowed."""
    return {
        "$schema": DIALECT,
        "title": "PicoClaw settings",
        "description": "~/.picoclaw/config.yaml, or the file of --config",
        **_section(""),
    }


def _section(prefix: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, key in KEYS.items():
        if name.startswith(prefix):
            first, dot, _ = name.removeprefix(prefix).partition(".")
            if not dot:
                properties[first] = _setting(key)
            elif first not in properties:
                properties[first] = _section(f"{prefix}{first}.")
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _setting(key: Key) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "description": f"{MEANING[key.name].replace('`', '')}\n\nAlso {key.env} and {key.flag}.",
        "anyOf": [*_forms(key), dict(_REFERENCE), {"type": "null"}],
        "examples": [_typed(key, EXAMPLES[key.name])],
    }
    default = default_of(key)
    if default is not None:
        schema["default"] = _typed(key, default)
    return schema


def _forms(key: Key) -> list[dict[str, Any]]:
    match key.kind:
        case "bool":
            words = "|".join("".join(f"[{c}{c.upper()}]" for c in w) for w in _SWITCH_WORDS)
            return [
                {"type": "boolean"},
                {"enum": [0, 1]},
                {"type": "string", "pattern": rf"^\s*({words}|0|1)\s*$"},
            ]
        case "int" if key.name == "swarm.nats.replicas":
            return [{"enum": [1, 3, 5]}, {"enum": ["1", "3", "5"]}]
        case "int":
            limits = {"minimum": int(key.minimum or 0)}
            if key.maximum is not None:
                limits["maximum"] = int(key.maximum)
            return [
                {"type": "integer", **limits},
                {"type": "string", "pattern": r"^\s*[+-]?[0-9]{1,18}\s*$"},
            ]
        case "duration":
            return [{"type": "string", "pattern": _DURATION}]
        case "choice":
            return [{"enum": list(key.choices)}]
        case "urls":
            one = {"type": "string", "pattern": rf"^\s*(({'|'.join(SCHEMES)})://|.*\$\{{)"}
            return [one, {"type": "array", "items": one, "minItems": 1}]
        case "labels":
            pairs = {"type": "string", "pattern": "=|\\$\\{"}
            return [
                {"type": "object", "additionalProperties": dict(_SCALAR), "minProperties": 1},
                pairs,
                {"type": "array", "items": pairs, "minItems": 1},
            ]
        case "capabilities" | "paths" | "models" | "variables":
            return [
                {"type": "string", "pattern": r"\S"},
                {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1},
            ]
        case "text":
            return [dict(_SCALAR)]
        case _:  # names, files and secrets
            return [{"type": "string", "pattern": r"\S"}, {"type": ["number", "boolean"]}]


_SWITCH_WORDS = ("true", "false", "yes", "no", "on", "off")


def _typed(key: Key, raw: object) -> object:
    """Return a value in the type that an editor would write it in."""
    match key.kind, raw:
        case "bool", str():
            return raw == "true"
        case "int", str():
            return int(raw)
        case _, tuple():
            return list(raw)
        case _, Mapping():
            return dict(raw)
        case _:
            return raw
