"""What the skills of agents let their node advertise, and what of it is not ready."""

import time
from collections.abc import Mapping
from datetime import timedelta

from ....config.names import GENERAL, ROLE_MARKS
from ....config.settings import Settings
from .machine import Machine, not_ready, this_machine
from .shelf import Shelf, shelf_of

LOOKING = timedelta(minutes=1)
"""For how long the answer to what takes a look at files or a process is kept."""


class SkillAdverts:
    """The skills of a node as capabilities; what they need is looked at when it is asked for."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._shelf: Shelf | None = None
        self._machine: Machine | None = None
        self._made = 0.0

    def capabilities(self, patterns: tuple[str, ...]) -> frozenset[str]:
        """Return the capabilities of the skills that a profile names; blocking, the first time."""
        if not patterns:
            return frozenset()
        if self._shelf is None:
            self._shelf = shelf_of(self._settings)
        names = {skill.capability for skill in self._shelf.chosen(patterns)}
        return frozenset(name for name in names if name and name not in {GENERAL, *ROLE_MARKS})

    def lacking(self, capability: str, patterns: tuple[str, ...]) -> str:
        """Return in words what the skills of that capability need; empty where one of them is ready."""
        if not patterns or self._shelf is None:
            return ""
        skills = [skill for skill in self._shelf.chosen(patterns) if skill.capability == capability]
        found = [not_ready(skill, self._here()) for skill in skills]
        return "" if not all(found) else "; ".join(dict.fromkeys(found))

    def _here(self) -> Machine:
        now = time.monotonic()
        if self._machine is None or now - self._made > LOOKING.total_seconds():
            self._machine = this_machine(self._settings, self._environ)
            self._made = now
        return self._machine
