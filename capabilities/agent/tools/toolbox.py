"""Toolbox: the tools of one agent, gathered from where they are defined.

A module of this folder that has a function `tools(kit) -> tuple[Tool, ...]` brings tools: a new tool is one
new file. What must be opened and closed with the job (MCP servers, skills) is a `ToolSource`.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol

from ....config.settings import Settings
from ....errors import ConfigError
from ..models.conversation import ToolSpec
from ..profiles.profile import Profile
from .tool import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a tool may be made from."""

    profile: Profile
    settings: Settings


class ToolSource(Protocol):
    """Brings tools that live as long as one job."""

    def open(self, kit: Kit) -> AbstractAsyncContextManager[tuple[Tool, ...]]:
        """Yield its tools; whatever it started has ended when the block is left.

        What cannot be had is left out, and said by the tools that are there or in the log: it never keeps
        the agent from its work.
        """
        ...


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one agent by name."""

    tools: Mapping[str, Tool]

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools.values())

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """Return what the model is told of them, in an order that never changes."""
        return tuple(tool.spec for _, tool in sorted(self.tools.items()))

    def find(self, name: str) -> Tool | None:
        return self.tools.get(name)

    def unknown(self, name: str) -> str:
        """Return in words that there is no such tool, and which is meant or which there are."""
        near = get_close_matches(name, self.tools, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(self.tools)) or 'none'}"
        return f"there is no tool {name[:100]!r} here; {hint}"


def built_in(kit: Kit) -> tuple[Tool, ...]:
    """Return the tools of this folder that are ready here."""
    from . import __name__ as package
    from . import __path__ as path

    found: list[Tool] = []
    for module in sorted(pkgutil.iter_modules(path), key=lambda one: one.name):
        tools = getattr(importlib.import_module(f"{package}.{module.name}"), "tools", None)
        if tools is not None:
            found += tools(kit)
    return tuple(found)


def known_tools() -> tuple[str, ...]:
    """Return the names of all tools that picoclaw has, ready here or not; a file is called as its tool is."""
    from . import __name__ as package
    from . import __path__ as path

    files = sorted(module.name for module in pkgutil.iter_modules(path))
    return (
        *(name for name in files if hasattr(importlib.import_module(f"{package}.{name}"), "tools")),
        "skill",
    )


def toolbox(tools: Iterable[Tool], wanted: tuple[str, ...] | None = None) -> Toolbox:
    """Return those of some tools whose names fit one of the shell patterns; None: all.

    Raises ConfigError when two bear one name.
    """
    box: dict[str, Tool] = {}
    for tool in tools:
        name = tool.spec.name
        if wanted is not None and not any(fnmatchcase(name, pattern) for pattern in wanted):
            continue
        if name in box:
            raise ConfigError(
                f"two tools bear the name {name!r}: rename the MCP server that brings one of them"
            )
        box[name] = tool
    return Toolbox(box)
