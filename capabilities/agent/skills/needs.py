"""What a skill needs of a machine: programs, variables, MCP servers, tools, files. Pure.

One line is one need, and alternatives in it are separated by `|`: `psql | mysql | mcp:database`. A bare word
is a program on the PATH, one that begins with a slash a file; `env:`, `mcp:`, `tool:` and `can:` say what
else is meant.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["program", "env", "mcp", "tool", "can", "file"]

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,63}")
_PREFIXES: dict[str, Kind] = {"env:": "env", "mcp:": "mcp", "tool:": "tool", "can:": "can"}
CAN = {
    "network": "commands that reach the network (agents.network: true)",
    "host": "commands outside of a sandbox (agents.sandbox: none)",
}
"""What `can:` may stand before, and how it is said."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that a machine has or has not."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return self.name if self.kind in ("program", "file") else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Need:
    """One need: any of these will do."""

    any_of: tuple[Thing, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.any_of))


def parse_need(text: str) -> Need:
    """Return the need that a line means; raises ValueError in words."""
    things = tuple(_thing(word.strip()) for word in text.split("|"))
    return Need(things)


def _thing(word: str) -> Thing:
    if word.startswith("/") and len(word) <= 200 and word.isprintable():
        return Thing("file", word)
    for prefix, kind in _PREFIXES.items():
        name = word.removeprefix(prefix)
        if word.startswith(prefix) and _WORD.fullmatch(name) and (kind != "can" or name in CAN):
            return Thing(kind, name)
    if _WORD.fullmatch(word):
        return Thing("program", word)
    raise ValueError(
        f"{word[:60]!r} is no need: write a program's name, env:NAME, mcp:NAME, tool:NAME, "
        "can:network, can:host or /a/file"
    )


def lacking(needs: tuple[Need, ...], has: Callable[[Thing], bool]) -> str:
    """Return in words what is missing for these needs; empty where nothing is."""
    missing = [need.any_of for need in needs if not any(map(has, need.any_of))]
    if not missing:
        return ""
    # What would do for all of them, such as an MCP server, is said once.
    for_all = [thing for thing in missing[0] if all(thing in things for things in missing)]
    rest = [[thing for thing in things if thing not in for_all] for things in missing]
    if not for_all or not all(rest):
        return "needs " + ", and ".join(map(_words, missing))
    return f"needs {_words(for_all)}; or else {', and '.join(map(_words, rest))}"


def _words(things: Sequence[Thing]) -> str:
    """Return alternatives in words, those of one kind together."""
    kinds: dict[Kind, list[str]] = {}
    for thing in things:
        kinds.setdefault(thing.kind, []).append(CAN[thing.name] if thing.kind == "can" else thing.name)
    return " or ".join(_FORMS[kind].format(_either(names)) for kind, names in kinds.items())


def _either(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


_FORMS: dict[Kind, str] = {
    "program": "{} on the PATH",
    "env": "{} in the node's environment and in agents.env",
    "mcp": "an MCP server named {}",
    "tool": "the tool {}",
    "can": "{}",
    "file": "{}",
}
