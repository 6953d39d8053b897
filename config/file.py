"""The YAML file: read without surprises, `${ENV}` expanded, every value with its line."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .keys import KEYS, SECTIONS
from .plain_file import open_plain
from .refuse import Refuse, raise_it
from .spelling import did_you_mean
from .values import Raw, shown

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError
    from yaml.nodes import Node

MAX_BYTES = 1_048_576
MAX_DEPTH = 20
"""Deeper nesting is refused before the tree is built: libyaml's loader overflows the C stack."""

_CORE_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "timestamp"))
_NULL = "tag:yaml.org,2002:null"
_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)(\}?)")
_QUOTED = re.compile(r"('|\")(?:(?!\1).){2,}\1")
"""What PyYAML's own loader quotes from the file may be part of a secret; single marks are not."""
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileValue:
    """A setting as the file gives it."""

    name: str
    raw: Raw
    line: int


def read_file(path: Path, environ: Mapping[str, str], *, refuse: Refuse = raise_it) -> tuple[FileValue, ...]:
    """Return what the file sets, `${ENV}` and `${ENV:-default}` expanded; a null sets nothing.

    Raises ConfigError for a file that is missing, no plain file, over 1 MiB or not YAML. `refuse`
    gets one for what is not a mapping, for an unknown or doubled key, and for a variable that is
    not set.
    """
    root = _parse(_read(path), path)
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


def _read(path: Path) -> str:
    try:
        with open_plain(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        what = (
            f"is a link to {os.readlink(path)}, which is not there" if path.is_symlink() else "is not there"
        )
        raise ConfigError(f"configuration file {path} {what}: check the path") from None
    except IsADirectoryError:
        raise ConfigError(f"configuration file {path} is a folder: name a YAML file") from None
    except PermissionError:
        raise ConfigError(f"configuration file {path} cannot be read: give this user the right to") from None
    except OSError as error:
        raise ConfigError(
            f"configuration file {path} cannot be read ({error.strerror}): name a plain YAML file"
        ) from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"configuration file {path} is over 1 MiB: is it the right file?")
    try:
        return data.decode("utf-8-sig")  # Windows editors put a byte order mark
    except UnicodeDecodeError:
        raise ConfigError(f"configuration file {path} is not UTF-8 text: is it the right file?") from None


def _parse(text: str, path: Path) -> "Node | None":
    import yaml  # 15 ms that only a command with a file pays

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ConfigError(f"configuration file {path} is nested too deep: is it the right file?")
        return yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        advice = "indent with spaces, YAML takes no tabs" if _at_tab(text, error) else "correct it"
        raise ConfigError(
            f"configuration file {path}{line} is not valid YAML ({syntax_problem(error)}): {advice}"
        ) from None
    except yaml.YAMLError:  # a character that YAML does not allow
        raise ConfigError(f"configuration file {path} is not valid YAML: is it the right file?") from None


def _at_tab(text: str, error: "MarkedYAMLError") -> bool:
    mark = error.problem_mark
    lines = text.splitlines()
    if mark is None or mark.line >= len(lines):
        return False
    line = lines[mark.line]
    return "\t" in line[: len(line) - len(line.lstrip())]


def syntax_problem(error: "MarkedYAMLError") -> str:
    """Return what is wrong with the syntax, without what the message quotes from the file."""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return _QUOTED.sub("…", said) or "syntax error"


def _walk(
    node: "Node", prefix: str, path: Path, environ: Mapping[str, str], refuse: Refuse
) -> Iterator[FileValue]:
    from yaml.nodes import MappingNode, ScalarNode

    if isinstance(node, ScalarNode) and _is_null(node):
        return
    if not isinstance(node, MappingNode):
        what = f"{prefix[:-1]} in {path}:{_line(node)}" if prefix else f"configuration file {path}"
        refuse(ConfigError(f"{what} is not a mapping: write KEY: VALUE lines"))
        return
    seen: set[str] = set()
    for name_node, value in node.value:
        if not isinstance(name_node, ScalarNode):
            refuse(ConfigError(f"{path}:{_line(name_node)}: a key is not plain text: write KEY: VALUE lines"))
            continue
        name, line = prefix + name_node.value, _line(name_node)
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
        raise ConfigError(f"the entry at line {_line(node)} is nested: give plain texts")
    if _is_null(node):
        raise ConfigError(f"the entry at line {_line(node)} is empty: fill it in or remove it")
    if node.tag not in _CORE_TAGS:
        raise ConfigError("tags such as !name are not supported: put a text that starts with ! in quotes")
    return expand(node.value, environ)


def _is_null(node: "Node") -> bool:
    return bool(node.tag == _NULL)


def _line(node: "Node") -> int:
    return int(node.start_mark.line) + 1
