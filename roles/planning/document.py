"""A YAML document of a user: read without surprises, each key with its line.

No aliases (a few lines of them can stand for gigabytes), no tags, no key twice; and `no`, `12:30` or
`1_000` are the words that they look like, as in YAML 1.2.
"""

import re
from dataclasses import dataclass

import yaml
from pydantic import JsonValue
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ...errors import PlanError

MAX_CHARACTERS = 1_048_576
MAX_DEPTH = 20
"""Deeper nesting is refused before the tree is built: libyaml's loader overflows the C stack."""

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_STR = "tag:yaml.org,2002:str"
_DIGITS = 300
"""Digits of a number that is still read as one."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says, and where."""

    data: JsonValue
    lines: dict[Path, int]
    """The line of each key and list entry, from 1, by the way to it."""

    def line(self, path: Path) -> int | None:
        """Return the line of a key, or of the nearest one above it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_document(text: str) -> Document:
    """Read one YAML document; raises PlanError, which begins with the line where there is one."""
    if len(text) > MAX_CHARACTERS:
        raise PlanError(f"it is over {MAX_CHARACTERS / 2**20:g} MiB: is it the right file?")
    lines: dict[Path, int] = {}
    root = _compose(text)
    return Document(_value(root, (), lines) if root is not None else None, lines)


def _compose(text: str) -> Node | None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(text, loader):
            if isinstance(event, yaml.AliasEvent):
                raise PlanError(
                    f"line {_line(event)}: aliases such as *{event.anchor} are not supported: "
                    "write out what it stands for"
                )
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise PlanError(f"line {_line(event)}: it is nested too deep: is it the right file?")
        return yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        said = ", ".join(part for part in (error.context, error.problem) if part) or "it cannot be read"
        raise PlanError(f"{where}{' '.join(said.split())[:200]}") from None
    except yaml.YAMLError:
        raise PlanError("it holds a character that YAML does not allow: is it the right file?") from None


def _value(node: Node, path: Path, lines: dict[Path, int]) -> JsonValue:
    line = _line(node)
    if isinstance(node, MappingNode):
        _plain_tag(node, "map", line)
        found: dict[str, JsonValue] = {}
        for name_node, value in node.value:
            at = _line(name_node)
            if not isinstance(name_node, ScalarNode):
                raise PlanError(f"line {at}: a key is not plain text: write KEY: VALUE lines")
            name = name_node.value
            if name in found:
                raise PlanError(f"line {at}: key {name[:100]!r} stands there twice: keep one")
            lines[*path, name] = at
            found[name] = _value(value, (*path, name), lines)
        return found
    if isinstance(node, SequenceNode):
        _plain_tag(node, "seq", line)
        entries: list[JsonValue] = []
        for i, entry in enumerate(node.value):
            lines[*path, i] = _line(entry)
            entries.append(_value(entry, (*path, i), lines))
        return entries
    assert isinstance(node, ScalarNode)
    return _scalar(node, line)


def _scalar(node: ScalarNode, line: int) -> JsonValue:
    text = str(node.value)
    if node.style:  # quoted, or a block: text whatever it looks like
        _plain_tag(node, "str", line)
        return text
    if node.tag.startswith("!") or node.tag.startswith("tag:yaml.org,2002:python/"):
        _refuse_tag(line)
    if text in _WORDS and (not text or node.tag != _STR):
        return _WORDS[text]
    if node.tag == _STR or len(text) > _DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if abs(number) == float("inf"):
            raise PlanError(f"line {line}: the number {text[:40]} is too large")
        return number
    return text


def _plain_tag(node: Node, kind: str, line: int) -> None:
    if node.tag != f"tag:yaml.org,2002:{kind}":
        _refuse_tag(line)


def _refuse_tag(line: int) -> None:
    raise PlanError(
        f"line {line}: tags such as !name are not supported: put a text that starts with ! in quotes"
    )


def _line(marked: Node | yaml.Event) -> int:
    return int(marked.start_mark.line) + 1 if marked.start_mark is not None else 1
