"""Substitution: `${text}` and its like in a definition, filled in as text and never seen by a shell.

Pure. What a reference may name is known when a definition is read, so a wrong one is refused then;
what a task brings is only known when it runs.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ...config.spelling import did_you_mean
from ...errors import ConfigError, FinalError

PLAIN = ("text", "repository", "workspace", "here", "request", "task", "attempt")
"""References that stand for one value each."""
OF_THE_END = ("exit_code", "seconds", "output")
"""References that only a summary may use: what is known once the program has ended."""

_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)(\}?)")
_INSIDE = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_-]*)(?P<path>(?:\.[A-Za-z0-9_-]+)*)(?P<each>\[\*\])?(?::-(?P<default>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${…}`."""

    name: str
    path: tuple[str, ...] = ()
    each: bool = False
    """`[*]`: one argument for each entry of a list."""
    default: str | None = None

    def __str__(self) -> str:
        """Return it as it is written, without the default."""
        return "${" + ".".join([self.name, *self.path]) + ("[*]" if self.each else "") + "}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text with references in it."""

    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> Iterator[Reference]:
        return (part for part in self.parts if isinstance(part, Reference))

    @property
    def literal(self) -> str | None:
        """The text itself where no reference stands in it."""
        if any(isinstance(part, Reference) for part in self.parts):
            return None
        return "".join(str(part) for part in self.parts)


def read_pattern(text: str, *, also: Iterable[str] = (), whole_list: bool = False) -> Pattern:
    """Read a text with references; `$${` stands for a plain `${`.

    `also` names further references that this place allows; `whole_list` allows `${input.NAME[*]}` as
    all there is. Raises ConfigError for what no reference can be.
    """
    parts: list[str | Reference] = []
    at = 0
    for found in _REFERENCE.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
        escaped, inside, closed = found.groups()
        if escaped:
            parts.append(found.group()[1:])
        else:
            parts.append(_reference(inside, closed, also))
    parts.append(text[at:])
    pattern = Pattern(tuple(part for part in parts if part != ""))
    for reference in pattern.references:
        if reference.each and not (whole_list and len(pattern.parts) == 1):
            raise ConfigError(
                f"{reference} makes several arguments: it must stand alone as an entry of command:"
            )
    return pattern


def _reference(inside: str, closed: str, also: Iterable[str]) -> Reference:
    found = _INSIDE.fullmatch(inside) if closed else None
    if found is None:
        raise ConfigError(f"${{{inside[:60]}… is not a reference: write ${{text}}, or $${{ for a plain ${{")
    name, path = found["name"], tuple(found["path"].split(".")[1:])
    reference = Reference(name, path, found["each"] is not None, found["default"])
    if name == "input":
        if not path:
            raise ConfigError("${input} names no input: write ${input.NAME}")
    elif name == "inputs":
        if len(path) < 2 or path[1] not in ("summary", "data"):
            raise ConfigError(f"{reference} is none: write ${{inputs.STEP.summary}} or ${{inputs.STEP.data}}")
        if path[1] == "summary" and len(path) > 2:
            raise ConfigError(f"{reference} goes into a text: a summary has no parts")
    elif name == "result" and "result" in also:
        pass
    elif name in PLAIN or name in also:
        if path or reference.each:
            raise ConfigError(f"{reference} goes into a text: {name} has no parts")
    else:
        known = (*PLAIN, *also, "input", "inputs")
        names = ", ".join([*PLAIN, *also, "input.NAME", "inputs.STEP.summary", "inputs.STEP.data"])
        raise ConfigError(f"unknown reference {reference}{did_you_mean(name, known)} (there are {names})")
    return reference


Values = Mapping[str, JsonValue]
"""What references stand for: the plain ones by name, and `input` and `inputs` as mappings."""


def fill(pattern: Pattern, values: Values) -> str:
    """Return the text with every reference filled in; lists and mappings become JSON.

    Raises FinalError that names the reference which the task has no value for.
    """
    return "".join(
        part if isinstance(part, str) else in_text(look_up(part, values)) for part in pattern.parts
    )


def fill_all(patterns: Iterable[Pattern], values: Values) -> list[str]:
    """Return a command line, one argument for each pattern, or for each entry of a `[*]`.

    An argument that comes from a task and begins with `-` might be taken for an option, so it is
    refused unless `--` stands before it. Raises FinalError.
    """
    arguments: list[str] = []
    only_operands = False
    for pattern in patterns:
        first = pattern.parts[0] if pattern.parts else ""
        if isinstance(first, Reference) and first.each:
            found = look_up(first, values)
            if not isinstance(found, list):
                raise FinalError(f"{first} is no list: this task's is {_kind(found)}")
            made = [in_text(entry) for entry in found]
        else:
            made = [fill(pattern, values)]
        if isinstance(first, Reference) and not only_operands:
            for argument in made:
                if argument.startswith("-") and arguments:
                    raise FinalError(
                        f"the value of {first} begins with '-' and could be taken for an option: "
                        "put -- before it in command:, or hand it over by stdin:"
                    )
        only_operands = only_operands or pattern.literal == "--"
        arguments += made
    return arguments


def look_up(reference: Reference, values: Values) -> JsonValue:
    """Return what a reference stands for. Raises FinalError when the task does not bring it."""
    value: JsonValue = values.get(reference.name)
    for number, key in enumerate(reference.path):
        value = _step(value, key)
        if value is None:
            if reference.default is not None:
                return reference.default
            raise FinalError(_missing(reference, number, values))
    if value is None:
        if reference.default is not None:
            return reference.default
        if reference.name == "repository":
            raise FinalError("it needs a repository and this task has none: add --repo DIR or --repo URL")
        raise FinalError(f"{reference} has no value in this task")
    return value


def _step(value: JsonValue, key: str) -> JsonValue:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    return None


def _missing(reference: Reference, number: int, values: Values) -> str:
    have = values.get(reference.name)
    for key in reference.path[:number]:
        have = _step(have, key)
    names = sorted(str(name) for name in have)[:20] if isinstance(have, dict) else []
    there = f" (there is: {', '.join(names)[:200]})" if names else ""
    if reference.name == "inputs" and number == 0:
        return f"{reference}: this task builds on no step {reference.path[0]!r}{there}: add it to `after`"
    if reference.name == "input" and number == 0:
        return f"{reference}: the request brings no input {reference.path[0]!r}{there}"
    return f"{reference}: there is no {reference.path[number]!r} in it{there}"


def in_text(value: JsonValue) -> str:
    """Return a value as an argument holds it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind(value: JsonValue) -> str:
    return {dict: "a mapping", str: "a text", bool: "yes or no"}.get(type(value), "a number")
