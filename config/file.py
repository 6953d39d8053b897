"""The YAML file: read without surprises, `${ENV}` expanded, every value with its line."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .keys import KEYS, SECTIONS
from .plain_yaml import YamlMistake, check_tag, compose, line_of, read_text
from .refuse import Refuse, raise_it
from .spelling import did_you_mean
from .values import Raw, shown

if TYPE_CHECKING:
    from yaml.nodes import Node

_NULL = "tag:yaml.org,2002:null"
_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)(\}?)")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileValue:
    """A setting as the file gives it."""

    name: str
    raw: Raw
    line: int


def read_file(path: Path, environ: Mapping[str, str], *, refuse: Refuse = raise_it) -> tuple[FileValue, ...]:
    """Return what the file sets, `${ENV}` and `${ENV:-default}` expanded; a null sets nothing.

    Raises ConfigError for a file that is missing, no plain file, over 1 MiB or not plain YAML. `refuse`
    gets one for what is not a mapping, for an unknown or doubled key, and for a variable that is
    not set.
    """
    named = f"configuration file {path}"
    try:
        root = compose(read_text(path, named))
    except YamlMistake as mistake:
        raise ConfigError(_in_words(mistake, named)) from None
    return tuple(_walk(root, "", path, environ, refuse)) if root is not None else ()


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Return the text with `${ENV}` and `${ENV:-default}` replaced; `$${` stands for `${`.

    Raises ConfigError, naming the variable, when it is not set and has no default.
    """

    def replace(match: re.Match[str]) -> str:
        escaped, inner, closed = match.groups()
        if escaped:
            return match.group()[1:]
        reference = _NAME.fullmatch(inner) if closed else None
        if reference is None:
            raise ConfigError(
                "a ${…} is not ${NAME} or ${NAME:-default}: correct it, or write $${ for a plain ${"
            )
        name, default = reference.groups()
        value = environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise ConfigError(
                f"${{{name}}} is not set in the environment: set it or write ${{{name}:-default}}"
            )
        return value

    return _REFERENCE.sub(replace, text)


def _in_words(mistake: YamlMistake, named: str) -> str:
    place = f"{named}:{mistake.line}" if mistake.line is not None else named
    if not mistake.syntax:
        return f"{place}: {mistake.discreet}"
    return f"{place} is not valid YAML ({mistake.discreet}): correct it, and indent with spaces"


def _walk(
    node: "Node", prefix: str, path: Path, environ: Mapping[str, str], refuse: Refuse
) -> Iterator[FileValue]:
    from yaml.nodes import MappingNode, ScalarNode

    if isinstance(node, ScalarNode) and _is_null(node):
        return
    if not isinstance(node, MappingNode):
        what = f"{prefix[:-1]} in {path}:{line_of(node)}" if prefix else f"configuration file {path}"
        refuse(ConfigError(f"{what} is not a mapping: write KEY: VALUE lines"))
        return
    seen: set[str] = set()
    for name_node, value in node.value:
        if not isinstance(name_node, ScalarNode):
            refuse(
                ConfigError(f"{path}:{line_of(name_node)}: a key is not plain text: write KEY: VALUE lines")
            )
            continue
        name, line = prefix + name_node.value, line_of(name_node)
        if name in seen:
            refuse(ConfigError(f"{name} stands twice in {path}, again at line {line}: keep one"))
            continue
        seen.add(name)
        if name in KEYS:
            try:
                raw = _raw(value, environ)
            except ConfigError as error:
                refuse(ConfigError(f"{name} ({path}:{line}): {error}"))
                continue
            if raw is not None:
                yield FileValue(name, raw, line)
        elif name in SECTIONS:
            yield from _walk(value, f"{name}.", path, environ, refuse)
        else:
            hint = did_you_mean(name, KEYS.keys() | SECTIONS) or ": correct or remove it"
            refuse(ConfigError(f"unknown key {shown(name)} ({path}:{line}){hint}"))


def _raw(node: "Node", environ: Mapping[str, str]) -> Raw | None:
    """Take every scalar as it is written, so that `hid: 007` stays `007` and `role: no` is a word."""
    from yaml.nodes import MappingNode, SequenceNode

    _refuse_tag(node)
    if isinstance(node, SequenceNode):
        return tuple(_text(item, environ) for item in node.value)
    if isinstance(node, MappingNode):
        pairs = [(_text(name, environ), _text(value, environ)) for name, value in node.value]
        if len(dict(pairs)) != len(pairs):
            raise ConfigError("a name stands twice: keep one")
        return dict(pairs)
    return None if _is_null(node) else _text(node, environ)


def _text(node: "Node", environ: Mapping[str, str]) -> str:
    from yaml.nodes import ScalarNode

    if not isinstance(node, ScalarNode):
        raise ConfigError(f"the entry at line {line_of(node)} is nested: give plain texts")
    _refuse_tag(node)
    if _is_null(node):
        raise ConfigError(f"the entry at line {line_of(node)} is empty: fill it in or remove it")
    return expand(node.value, environ)


def _refuse_tag(node: "Node") -> None:
    try:
        check_tag(node)
    except YamlMistake as mistake:
        raise ConfigError(mistake.said) from None


def _is_null(node: "Node") -> bool:
    return bool(node.tag == _NULL)
