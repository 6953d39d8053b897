"""A YAML file of definitions: read without surprises, each key with its line.

No aliases (a few lines of them can stand for gigabytes), no tags, no key twice. Every scalar is the
text as it is written, so that `no`, `007` and `12:30` are what they look like; an empty one is None.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .plain_file import open_plain

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError
    from yaml.nodes import Node

MAX_BYTES = 1_048_576
MAX_DEPTH = 20
"""Deeper nesting is refused before the tree is built: libyaml's loader overflows the C stack."""

Tree = str | None | list["Tree"] | dict[str, "Tree"]
Way = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

_NULL = "tag:yaml.org,2002:null"
_CORE = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "timestamp"))


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    path: Path
    data: Tree
    lines: dict[Way, int]
    """The line of each key and list entry, from 1."""

    def place(self, way: Way = ()) -> str:
        """Return `FILE:LINE` of a value, or of the nearest one around it that has a line."""
        while way and way not in self.lines:
            way = way[:-1]
        return f"{self.path}:{self.lines[way]}" if way in self.lines else str(self.path)


def read_document(path: Path) -> Document:
    """Read one YAML file.

    Raises ConfigError, in one line that begins with the file and its line, for a file that is missing,
    a folder, unreadable, over 1 MiB, not UTF-8, not YAML, or that holds aliases, tags or a key twice.
    """
    root = _compose(_read(path), path)
    lines: dict[Way, int] = {}
    return Document(path, _value(root, (), lines, path) if root is not None else None, lines)


def _read(path: Path) -> str:
    try:
        with open_plain(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there: check the path") from None
    except IsADirectoryError:
        raise ConfigError(
            f"{path} is a folder, not a YAML file: rename it, or name the files in it"
        ) from None
    except PermissionError:
        raise ConfigError(f"{path} cannot be read: give this user the right to, or take it away") from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): check it"
        ) from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} is over 1 MiB: is it the right file?")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text: is it the right file?") from None


def _compose(text: str, path: Path) -> "Node | None":
    import yaml  # 15 ms that only whoever has such a file pays

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(
                    f"{path}:{line}: aliases such as *{event.anchor} are not supported: "
                    "write out what it stands for"
                )
            if depth > MAX_DEPTH:
                raise ConfigError(f"{path}:{line}: it is nested too deep: is it the right file?")
        return yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        place = f"{path}:{error.problem_mark.line + 1}" if error.problem_mark else str(path)
        raise ConfigError(f"{place}: not valid YAML ({_problem(error, text)}): correct it") from None
    except yaml.YAMLError:
        raise ConfigError(
            f"{path} holds a character that YAML does not allow: is it the right file?"
        ) from None


def _problem(error: "MarkedYAMLError", text: str) -> str:
    lines = text.splitlines()
    number = error.problem_mark.line if error.problem_mark else len(lines)
    before = lines[number].lstrip(" ") if number < len(lines) else ""
    if before.startswith("\t"):
        return "the line is indented by a tab: use blanks"
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return " ".join(said.split())[:200] or "syntax error"


def _value(node: "Node", way: Way, lines: dict[Way, int], path: Path) -> Tree:
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        if node.tag == _NULL:
            return None
        if node.tag not in _CORE:
            raise ConfigError(
                f"{path}:{_line(node)}: tags such as !name are not supported: put a text that starts with ! in quotes"
            )
        return str(node.value)
    if isinstance(node, SequenceNode):
        entries: list[Tree] = []
        for index, entry in enumerate(node.value):
            lines[*way, index] = _line(entry)
            entries.append(_value(entry, (*way, index), lines, path))
        return entries
    assert isinstance(node, MappingNode)
    found: dict[str, Tree] = {}
    for name_node, value in node.value:
        if not isinstance(name_node, ScalarNode):
            raise ConfigError(f"{path}:{_line(name_node)}: a key is not plain text: write KEY: VALUE lines")
        name = str(name_node.value)
        if name in found:
            raise ConfigError(f"{path}:{_line(name_node)}: {name[:100]!r} stands there twice: keep one")
        lines[*way, name] = _line(name_node)
        found[name] = _value(value, (*way, name), lines, path)
    return found


def _line(node: "Node") -> int:
    return int(node.start_mark.line) + 1
