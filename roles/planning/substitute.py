"""Substitution: `${inputs.x}`, `${item}`, `${index}`, `${count}` and `${text}` in what a template says.

A text that is one reference and nothing else becomes the value itself, a list stays a list; within a
longer text only texts, numbers and true or false can stand. `$${` stands for `${`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from ...config.spelling import did_you_mean
from ...errors import PlanError
from .inputs import INPUT_NAME, kind_of

MAX_DEPTH = 20
FAN_NAMES = ("item", "index", "count")
"""What only a step with `for_each` has."""

_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)(\}?)")
_NAME = re.compile(rf"text|index|count|item(?:\.[A-Za-z0-9_-]+)*|inputs\.({INPUT_NAME})")
_MISSING = object()

Values = Mapping[str, JsonValue]
"""What references stand for: `text`, `inputs` and, in a step that fans out, `item`, `index`, `count`."""


def references(value: JsonValue, where: str) -> Iterator[tuple[str, str]]:
    """Yield each reference in a value, with the key that it stands at; names are not checked.

    Raises PlanError, which begins with the key, for one that is not closed and for nesting without end.
    """
    for key, text in _texts(value, where, 0):
        for escaped, name, closed in _REFERENCE.findall(text):
            if not escaped:
                if not closed:
                    raise PlanError(
                        f"key {key}: a ${{…}} is not closed: close it, or write $${{ for a plain ${{"
                    )
                yield key, name


def check_reference(key: str, name: str, inputs: Sequence[str], *, fans: bool) -> None:
    """Raise PlanError, which begins with the key, for a reference that stands for nothing there."""
    known = ["text", *(f"inputs.{one}" for one in inputs), *(FAN_NAMES if fans else ())]
    found = _NAME.fullmatch(name)
    if found is not None and found[1] is not None and found[1] in inputs:
        return
    root = name.partition(".")[0]
    if found is not None and found[1] is None:
        if root not in FAN_NAMES or fans:
            return
        raise PlanError(f"key {key}: ${{{name}}} needs for_each in the same task")
    raise PlanError(
        f"key {key}: unknown ${{{name[:100]}}}{did_you_mean(name, known)} "
        f"(there is: {', '.join(known)}; $${{ stands for a plain ${{)"
    )


def substitute(value: JsonValue, values: Values, where: str) -> JsonValue:
    """Return the value with every reference replaced.

    Raises PlanError, which begins with the key, where a reference stands for nothing, or for a list or
    mapping inside a text.
    """
    if isinstance(value, str):
        return _in_text(value, values, where)
    if isinstance(value, list):
        return [substitute(entry, values, f"{where}.{i}") for i, entry in enumerate(value)]
    if isinstance(value, dict):
        return {name: substitute(entry, values, f"{where}.{name}") for name, entry in value.items()}
    return value


def substitute_text(text: str, values: Values, where: str) -> str:
    """Return a text with every reference replaced; what stands alone becomes text as well."""
    return _REFERENCE.sub(lambda found: _part(found, values, where), text)


def _in_text(text: str, values: Values, where: str) -> JsonValue:
    alone = _REFERENCE.fullmatch(text)
    if alone is not None and not alone[1]:
        return look_up(alone[2], values, where)
    return substitute_text(text, values, where)


def _part(found: re.Match[str], values: Values, where: str) -> str:
    if found[1]:
        return found.group()[1:]
    value = look_up(found[2], values, where)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, dict) and isinstance(value.get("label"), str):  # a repository, for people
        return str(value["label"])
    raise PlanError(
        f"key {where}: ${{{found[2]}}} is {kind_of(value)}: it cannot stand inside a text, only alone"
    )


def look_up(name: str, values: Values, where: str) -> JsonValue:
    """Return what a reference stands for; raises PlanError, which begins with the key."""
    found: JsonValue | object = values
    for part in name.split("."):
        found = found.get(part, _MISSING) if isinstance(found, Mapping) else _MISSING
        if found is _MISSING:
            raise PlanError(f"key {where}: ${{{name[:100]}}} stands for nothing here")
    return found  # type: ignore[return-value]  # values hold JSON alone


def _texts(value: JsonValue, where: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        raise PlanError(f"key {where[:200]}: it is nested too deep")
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            yield from _texts(entry, f"{where}.{i}", depth + 1)
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _texts(entry, f"{where}.{name}", depth + 1)
