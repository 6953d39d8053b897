"""Plain YAML: a file and its text, read without surprises; what its values mean is for others to say.

A plain file of at most 1 MiB in UTF-8, one document, no aliases (a few lines of them can stand for
gigabytes), no tags, no deep nesting. Settings, definitions and workflows are all read by this.
"""

import os
import re
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

_KINDS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in _KINDS)
"""Those that plain texts resolve to: what was not written there as a tag, or changes nothing."""
_QUOTED = re.compile(r"('|\")(?:(?!\1).){2,}\1")
"""What PyYAML's own loader quotes from the file may be part of a secret; single marks are not."""


class YamlMistake(ValueError):
    """Raised for a text that is not plain YAML; who reads it makes an error of ours of it."""

    def __init__(
        self, said: str, line: int | None = None, *, discreet: str | None = None, syntax: bool = False
    ) -> None:
        super().__init__(f"line {line}: {said}" if line is not None else said)
        self.said = said
        """The mistake, without the line."""
        self.line = line
        """From 1; None where it has none."""
        self.discreet = said if discreet is None else discreet
        """The same without a word of the text, which may hold secrets."""
        self.syntax = syntax
        """Whether it is not even YAML."""


def read_text(path: Path, named: str) -> str:
    """Return a file's text, a byte order mark taken off; `named` is what messages call it.

    Raises ConfigError for one that is missing, no plain file, unreadable, over 1 MiB or not UTF-8.
    """
    try:
        with open_plain(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        link = f"is a link to {os.readlink(path)}, which " if path.is_symlink() else ""
        raise ConfigError(f"{named} {link}is not there: check the path") from None
    except IsADirectoryError:
        raise ConfigError(f"{named} is a folder: name a YAML file") from None
    except PermissionError:
        raise ConfigError(f"{named} cannot be read: give this user the right to") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{named} cannot be read ({why}): name a plain YAML file") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{named} is over 1 MiB: is it the right file?")
    try:
        return data.decode("utf-8-sig")  # Windows editors put a byte order mark
    except UnicodeDecodeError:
        raise ConfigError(f"{named} is not UTF-8 text: is it the right file?") from None


def compose(text: str) -> "Node | None":
    """Return the tree of a text, None for an empty one. Raises YamlMistake."""
    import yaml  # 15 ms that only whoever has such a file pays

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                instead = "are not supported: write out what it stands for"
                raise YamlMistake(
                    f"aliases such as *{event.anchor} {instead}", line, discreet=f"aliases {instead}"
                )
            if depth > MAX_DEPTH:
                raise YamlMistake("it is nested too deep: is it the right file?", line)
        return yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = mark.line + 1 if mark is not None else None
        if at is not None and _begins_with_tab(text, at):
            raise YamlMistake("the line is indented by a tab: use blanks", at, syntax=True) from None
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlMistake(
            " ".join(said.split())[:200] or "syntax error", at, discreet=syntax_problem(error), syntax=True
        ) from None
    except yaml.YAMLError:
        raise YamlMistake("it holds a character that YAML does not allow", syntax=True) from None


def syntax_problem(error: "MarkedYAMLError") -> str:
    """Return what is wrong with the syntax, without what the message quotes from the text."""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return _QUOTED.sub("…", said) or "syntax error"


def check_tag(node: "Node") -> None:
    """Raise YamlMistake for a value with a tag."""
    if node.tag not in _TAGS:
        raise YamlMistake(
            "tags such as !name are not supported: put a text that starts with ! in quotes", line_of(node)
        )


def line_of(node: "Node") -> int:
    """Return the line at which a node begins, from 1."""
    return int(node.start_mark.line) + 1


def _begins_with_tab(text: str, line: int) -> bool:
    lines = text.splitlines()
    before = lines[line - 1] if line <= len(lines) else ""
    return "\t" in before[: len(before) - len(before.lstrip())]
