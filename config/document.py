"""A YAML text as data, each key and list entry with its line, no key twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .plain_yaml import YamlMistake, check_tag, compose, line_of

if TYPE_CHECKING:
    from yaml.nodes import Node, ScalarNode

Way = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says, and where."""

    data: Any
    """Mappings with texts as keys, lists, and the scalars as their reader makes them; None: nothing."""
    lines: dict[Way, int]
    """The line of each key and list entry, from 1, by the way to it."""

    def line(self, way: Way) -> int | None:
        """Return the line of a value, or of the nearest one around it that has a line."""
        while way and way not in self.lines:
            way = way[:-1]
        return self.lines.get(way)


def as_written(node: "ScalarNode") -> str | None:
    """Return the text as it stands there, so that `no`, `007` and `12:30` are what they look like."""
    return None if node.tag == _NULL else str(node.value)


def read_document(text: str, scalar: "Callable[[ScalarNode], Any]" = as_written) -> Document:
    """Read one document; `scalar` makes the values. Raises YamlMistake, and what `scalar` raises."""
    root = compose(text)
    lines: dict[Way, int] = {}
    return Document(_value(root, (), lines, scalar) if root is not None else None, lines)


def _value(node: "Node", way: Way, lines: dict[Way, int], scalar: "Callable[[ScalarNode], Any]") -> Any:
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    check_tag(node)
    if isinstance(node, ScalarNode):
        return scalar(node)
    if isinstance(node, SequenceNode):
        entries = []
        for index, entry in enumerate(node.value):
            lines[*way, index] = line_of(entry)
            entries.append(_value(entry, (*way, index), lines, scalar))
        return entries
    assert isinstance(node, MappingNode)
    found: dict[str, Any] = {}
    for name_node, value in node.value:
        line = line_of(name_node)
        if not isinstance(name_node, ScalarNode):
            raise YamlMistake("a key is not plain text: write KEY: VALUE lines", line)
        name = str(name_node.value)
        if name in found:
            raise YamlMistake(f"key {name[:100]!r} stands there twice: keep one", line)
        lines[*way, name] = line
        found[name] = _value(value, (*way, name), lines, scalar)
    return found
