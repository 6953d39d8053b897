"""What the skills of agents let their node advertise, and what of it is not ready."""

import time
from collections.abc import Mapping
from datetime import timedelta

from ....config.names import GENERAL, ROLE_MARKS
from ....config.settings import Settings
from .machine import Machine, not_ready, this_machine
from .shelf import Shelf, Stamp, shelf_of, stamp_of

LOOKING = timedelta(minutes=1)
"""For how long the answer to what takes a process is kept."""
AT_ONCE = timedelta(seconds=1)
"""Within which the skills' files are looked at once."""


class SkillAdverts:
    """The skills of a node as capabilities; what they need is looked at when it is asked for."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._shelf = Shelf()
        self._stamp: Stamp | None = None
        self._stamped = 0.0
        self._machine: Machine | None = None
        self._made = 0.0

    def capabilities(self, patterns: tuple[str, ...], *, ready: bool = False) -> frozenset[str]:
        """Return the capabilities of the skills that a profile names, `ready`: of those that are; blocking."""
        if not patterns:
            return frozenset()
        skills = self._skills().chosen(patterns)
        if ready:
            skills = tuple(skill for skill in skills if not not_ready(skill, self._here()))
        names = {skill.capability for skill in skills}
        return frozenset(name for name in names if name and name not in {GENERAL, *ROLE_MARKS})

    def lacking(self, capability: str, patterns: tuple[str, ...]) -> str:
        """Return in words what the skills of that capability need; empty where one of them is ready."""
        if not patterns:
            return ""
        skills = [skill for skill in self._skills().chosen(patterns) if skill.capability == capability]
        found = [not_ready(skill, self._here()) for skill in skills]
        return "" if not all(found) else "; ".join(dict.fromkeys(found))

    def _skills(self) -> Shelf:
        """Return the shelf as it stands now: a skill may come or go while the node runs."""
        now = time.monotonic()
        if self._stamp is None or now - self._stamped > AT_ONCE.total_seconds():
            self._stamped = now
            stamp = stamp_of(self._settings)
            if stamp != self._stamp:
                self._stamp, self._shelf = stamp, shelf_of(self._settings)
        return self._shelf

    def _here(self) -> Machine:
        now = time.monotonic()
        if self._machine is None or now - self._made > LOOKING.total_seconds():
            self._machine = this_machine(self._settings, self._environ)
            self._made = now
        return self._machine
