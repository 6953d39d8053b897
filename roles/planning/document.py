"""A workflow's YAML: `no`, `12:30` and `1_000` are the words that they look like, as in YAML 1.2."""

import re
from typing import TYPE_CHECKING

from ...config.document import Document
from ...config.document import read_document as read_plain
from ...config.plain_yaml import MAX_BYTES, YamlMistake, line_of

if TYPE_CHECKING:
    from yaml.nodes import ScalarNode

MAX_CHARACTERS = MAX_BYTES

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_STR = "tag:yaml.org,2002:str"
_DIGITS = 300
"""Digits of a number that is still read as one."""


def read_document(text: str) -> Document:
    """Read one YAML document; raises YamlMistake."""
    if len(text) > MAX_CHARACTERS:
        raise YamlMistake(f"it is over {MAX_CHARACTERS / 2**20:g} MiB: is it the right file?")
    return read_plain(text, _typed)


def _typed(node: "ScalarNode") -> str | int | float | bool | None:
    text = str(node.value)
    if node.style:  # quoted, or a block: text whatever it looks like
        return text
    if text in _WORDS and (not text or node.tag != _STR):
        return _WORDS[text]
    if node.tag == _STR or len(text) > _DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if abs(number) == float("inf"):
            raise YamlMistake(f"the number {text[:40]} is too large", line_of(node))
        return number
    return text
