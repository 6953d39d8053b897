"""From the files to definitions: each with its name and place, or one line that says what is wrong where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ...config.document import Way
from ...config.names import GENERAL, ROLE_MARKS, canonical_capability
from ...config.spelling import did_you_mean
from ...config.yaml_file import YamlFile, read_yaml_file
from ...errors import ConfigError, NameRefused
from .files import definition_files
from .schema import CommandDefinition, EnvDefinition, FunctionDefinition, LimitsDefinition, RetryDefinition

Body = CommandDefinition | FunctionDefinition
TOP = ("capabilities", "name")
_INNER: Mapping[str, type[BaseModel]] = {
    "env": EnvDefinition,
    "limits": LimitsDefinition,
    "retry": RetryDefinition,
}


@dataclass(frozen=True, slots=True)
class Definition:
    """One capability as a user wrote it down."""

    name: str
    """By wire name."""
    place: str
    """`FILE:LINE`, for people."""
    folder: Path
    """Where its file lies: programs and modules that it brings along are found there."""
    body: Body


def read_definitions(paths: Sequence[Path]) -> tuple[Definition, ...]:
    """Return the definitions of all files, in the order of the files.

    Raises ConfigError for the first mistake, with file and line, and for a name that two of them have.
    """
    found: dict[str, Definition] = {}
    for file in definition_files(paths):
        for definition in _read_file(file):
            other = found.get(definition.name)
            if other is not None:
                raise ConfigError(
                    f"{definition.place}: capability {definition.name!r} is defined already in {other.place}: "
                    "rename or remove one"
                )
            found[definition.name] = definition
    return tuple(found.values())


def _read_file(file: Path) -> list[Definition]:
    parsed = read_yaml_file(file)
    data = parsed.document.data
    if data is None:
        return []
    if not isinstance(data, dict):
        raise ConfigError(f"{parsed.place()}: not a mapping: write `capabilities:` with a name below it")
    if "name" in data:
        return [_one(parsed, (), data)]
    for key in data:
        if key != "capabilities":
            body_key = key in CommandDefinition.model_fields or key in FunctionDefinition.model_fields
            hint = ": add `name:`, or put it below `capabilities:`" if body_key else did_you_mean(key, TOP)
            raise ConfigError(f"{parsed.place((key,))}: unknown key {key[:80]!r}{hint or _AT_TOP}")
    several = data.get("capabilities")
    if several is None:
        return []
    if not isinstance(several, dict):
        raise ConfigError(
            f"{parsed.place(('capabilities',))}: capabilities is not a mapping: write NAME: and its keys below"
        )
    return [_one(parsed, ("capabilities", name), body, name) for name, body in several.items()]


_AT_TOP = ": a file holds `capabilities:`, or `name:` and the keys of one"


def _one(parsed: YamlFile, way: Way, body: Any, name: str | None = None) -> Definition:
    place = parsed.place((*way, "name")) if name is None else parsed.place(way)
    if not isinstance(body, dict):
        raise ConfigError(f"{place}: {name} is not a mapping: write its keys below it, such as command:")
    own = dict(body)
    if name is None:
        given = own.pop("name")
        if not isinstance(given, str):
            raise ConfigError(f"{place}: name is no text: write the capability's name")
        name = given
    try:
        wire = canonical_capability(name)
    except NameRefused as error:
        raise ConfigError(f"{place}: {error}") from None
    if wire in ROLE_MARKS or wire == GENERAL:
        raise ConfigError(
            f"{place}: {wire!r} cannot be defined, as it stands for a role or for all: rename it"
        )
    model: type[Body] = FunctionDefinition if "function" in own else CommandDefinition
    for key, value in own.items():
        if value is None:
            raise ConfigError(f"{parsed.place((*way, key))}: {name}: {key} is empty: fill it in or remove it")
    try:
        read = model.model_validate(own)
    except ValidationError as error:
        raise ConfigError(_in_words(error, parsed, way, place, name, model)) from None
    return Definition(name=wire, place=place, folder=parsed.path.absolute().parent, body=read)


def _in_words(
    error: ValidationError, parsed: YamlFile, way: Way, place: str, name: str, model: type[Body]
) -> str:
    found = error.errors(include_input=False, include_url=False)
    # A key misspelt is also a key missing: the misspelling is the one to name.
    first = next((entry for entry in found if entry["type"] == "extra_forbidden"), found[0])
    loc: Way = first["loc"]
    place = f"{parsed.place((*way, *loc)) if loc else place}: {name}"
    where = ".".join(str(part).removesuffix("_") for part in loc)
    if first["type"] == "extra_forbidden":
        inner = _INNER.get(str(loc[0])) if len(loc) > 1 else model
        known = _keys(inner or model)
        key = str(loc[-1])[:80]
        hint = did_you_mean(key, known) or f": known are {', '.join(sorted(known))}"
        if key in FunctionDefinition.model_fields or key in CommandDefinition.model_fields:
            kind = "a function" if model is FunctionDefinition else "a command"
            hint = f": {kind} has no such key"
        return f"{place}: unknown key {key!r}{hint}"
    if first["type"] == "missing":
        return f"{place}: key {where} is missing: add it"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:] if first["type"] != "value_error" else message
    return f"{place}: {where}: {message}" if where else f"{place}: {message}"


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}
