"""An analyzer: one tool, what it reads, how it is called and how its words become findings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from ...errors import ExecutionError
from ..findings import Area, Finding
from ..tool import ToolOutput
from .project import Project
from .survey import SourceFile, Survey


class ToolBroken(ExecutionError):
    """Raised when a tool's exit code or output says that it did not do its work."""


class ToolNotRun(ExecutionError):
    """Raised when a tool is not run on purpose, or cannot be on this machine; the message says why.

    No fault of the repository and none of the tool: its languages count as not reviewed.
    """


@dataclass(frozen=True, slots=True)
class Target:
    """What is reviewed, and within which limits."""

    survey: Survey
    project: Project
    workspace: Path
    """An empty folder outside the repository."""
    label: str = ""
    """The repository's name for people."""
    timeout: timedelta = timedelta(seconds=120)
    """Longest run of one tool."""


@dataclass(frozen=True, slots=True)
class Order:
    """How to run a tool: a module as a program, or one of our scripts."""

    argv: tuple[str, ...]
    module: str = ""
    script: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tool said."""

    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    detail: str = ""
    """What the tool's line should add, such as files that it could not read."""
    version: str = ""
    """The tool's version, where only the tool itself knows it."""


class Analyzer(Protocol):
    """One tool in one area. A new tool is one new file with one of these."""

    @property
    def name(self) -> str:
        """What people see."""
        ...

    @property
    def module(self) -> str:
        """The module that must be importable; empty when only the standard library is needed."""
        ...

    @property
    def distribution(self) -> str:
        """The package that brings it, for its version."""
        ...

    @property
    def area(self) -> Area: ...

    @property
    def understands(self) -> frozenset[str]:
        """The languages that it parses, as opposed to searching any text."""
        ...

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the files that it would read; none means nothing to do."""
        ...

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Return how to run it; `folder` is its own empty working directory."""
        ...

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Turn its output into findings; raises ToolBroken when it failed."""
        ...


@runtime_checkable
class OnPath(Protocol):
    """An analyzer whose tool is no Python package but a program of this machine."""

    def lacks(self) -> str:
        """Return what this machine lacks to run it, in words; empty when it can."""
        ...


def lacks(analyzer: Analyzer) -> str:
    """Return what this machine lacks to run an analyzer's program; empty for a Python tool."""
    return analyzer.lacks() if isinstance(analyzer, OnPath) else ""
