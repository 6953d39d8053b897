"""The one interface of all sandboxes: how a command is run in them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run, where, and what it sees of the environment."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]


SKILLS = "SKILLS"
"""The variable that says where the files of skills lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The folders of one job."""

    root: Path
    """Its workspace."""
    home: Path
    tmp: Path
    skills: tuple[tuple[str, Path], ...] = ()
    """The skills whose files commands may read and run, each with its folder; `$SKILLS/NAME` is what they see."""

    @classmethod
    def beside(cls, root: Path) -> "Job":
        """Return the folders that lie beside a workspace."""
        return cls(root=root, home=root.parent / "home", tmp=root.parent / "tmp")


class Sandbox(Protocol):
    """Keeps a command from what is none of its business."""

    @property
    def name(self) -> str: ...

    @property
    def sealed(self) -> bool:
        """Whether a command reaches nothing that outlives its job's folders."""
        ...

    @property
    def said(self) -> str:
        """What people are told of it, after `commands run in`."""
        ...

    def wrap(self, command: Command, job: Job) -> Command:
        """Return what to run instead, so that the command runs in the sandbox, in the job's workspace."""
        ...
