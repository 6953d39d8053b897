"""YAML's plain words as YAML 1.2 has them: `no`, `12:30` and `1_000` are the words that they look like."""

import re
from typing import TYPE_CHECKING

from .plain_yaml import YamlMistake, line_of

if TYPE_CHECKING:
    from yaml.nodes import ScalarNode

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_STR = "tag:yaml.org,2002:str"
_DIGITS = 300
"""Digits of a number that is still read as one."""


def typed_word(node: "ScalarNode") -> str | int | float | bool | None:
    """Return what a scalar stands for; raises YamlMistake for a number that is too large."""
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
