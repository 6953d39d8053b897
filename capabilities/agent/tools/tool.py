"""The one interface of all tools: `Tool.use(arguments, place) -> ToolResult`. A new tool is one new file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from ....swarm.records import ArtifactRef
from ...executor import Context
from ..models.conversation import ToolSpec

SHOWN = 28_000
"""Characters of a result that the model sees whole; of a longer one the loop leaves the middle out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gives back to the model."""

    text: str
    error: bool = False
    """The tool did not do what was asked; `text` says why, and what would work."""
    artifacts: tuple[ArtifactRef, ...] = ()
    """What it stored: these go with the task's result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a tool works, and for whom."""

    root: Path
    """The task's own folder or worktree: no tool touches anything outside it."""
    context: Context
    call: str
    """Names this use of the tool in all of its attempts: what a repeatable tool may key its effect by."""
    environment: Mapping[str, str]
    """All that a tool's process sees of the environment; no key of a provider is ever in it."""


class Tool(Protocol):
    """Does one thing for an agent."""

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice is doing it once: then a crash repeats it, else it asks."""
        ...

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Do it. `arguments` meet the schema.

        It is cancelled (asyncio) when the task ends, and must end whatever it started first. What goes
        wrong is a ToolResult with `error`; an exception of any kind is told the model in one line too.
        """
        ...


@runtime_checkable
class Prepared(Protocol):
    """A tool that looks at its machine before it can say whether it is repeatable."""

    async def prepare(self, place: Place) -> None:
        """Look, once; called before each use is written down."""
        ...


@runtime_checkable
class Alongside(Protocol):
    """A tool that may be used beside others of its kind: it changes nothing in the task's folder."""

    @property
    def alongside(self) -> bool: ...
