"""A skill: instructions for a kind of work, with the files that belong to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ....config.names import canonical_capability
from ....errors import NameRefused
from .needs import Need

FILE = "SKILL.md"
ORIGIN = ".picoclaw.json"
"""Where an installed skill came from, beside its file."""

Source = Literal["shipped", "user", "repository"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """One skill that can be read."""

    name: str
    description: str
    folder: Path
    body: str
    """What an agent is told when it loads the skill; Markdown."""
    needs: tuple[Need, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    """Tools that its writer had in mind. It allows nothing: policies do."""
    license: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    source: Source = "user"

    @property
    def place(self) -> str:
        """Return its file, for people."""
        return str(self.folder / FILE)

    @property
    def capability(self) -> str | None:
        """Return the capability that a node with it advertises; None for a name that none can bear."""
        try:
            return canonical_capability(self.name)
        except NameRefused:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A skill that cannot be used, and why: `FILE:LINE: what is wrong`."""

    name: str
    """Its folder's."""
    folder: Path
    why: str
