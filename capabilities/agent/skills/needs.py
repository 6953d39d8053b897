"""What a skill needs of a machine: programs, variables, MCP servers, tools, files. Pure.

One line is one need, and alternatives in it are separated by `|`: `psql | mysql | mcp:database`. A bare word
is a program on the PATH, one that begins with a slash a file; `env:`, `mcp:`, `tool:` and `can:` say what
else is meant.
"""

import re
from collections.abc import Callable
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

    @property
    def words(self) -> str:
        """Return what is to be had, in words."""
        match self.kind:
            case "program":
                return f"{self.name} on the PATH"
            case "env":
                return f"{self.name} in the node's environment and in agents.env"
            case "mcp":
                return f"an MCP server named {self.name}"
            case "tool":
                return f"the tool {self.name}"
            case "can":
                return CAN[self.name]
            case "file":
                return self.name


@dataclass(frozen=True, slots=True)
class Need:
    """One need: any of these will do."""

    any_of: tuple[Thing, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.any_of))

    @property
    def words(self) -> str:
        return " or ".join(thing.words for thing in self.any_of)


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
    missing = [need.words for need in needs if not any(map(has, need.any_of))]
    return "needs " + ", and ".join(missing) if missing else ""
