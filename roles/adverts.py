"""Adverts: looks again and again at what this machine can serve, and tells when that changed.

A tool, a definition file or a key may appear or go while a node runs; the swarm hears of it with the
next heartbeat, which is sent at once.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from ..capabilities.executor import Executor, Executors
from ..errors import ConfigError, PlanError
from ..swarm.apart import apart
from ..swarm.records import QueuedTask
from .offering import Offering, changes
from .planning.template import Template
from .registered_agents import RegisteredAgents

log = logging.getLogger(__name__)

T = TypeVar("T")

EVERY = timedelta(seconds=2)
"""Between two looks: some file states and PATH searches, a millisecond or so."""

SLOW = timedelta(seconds=10)
"""After which a look is worth a word; no other one begins before it ends."""

MOST_FILES = 1000
"""Definition files that are looked at in one folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What the user's definition files say, with the shipped ones."""

    executors: Executors
    templates: tuple[Template, ...]


Signature = tuple[tuple[str, int, int, int], ...]


def signature(paths: Sequence[Path]) -> Signature:
    """Return what tells one state of definition files from another: name, time, size and inode of each."""
    found: list[tuple[str, int, int, int]] = []
    for path in paths:
        try:
            files = sorted(path.iterdir())[:MOST_FILES] if path.is_dir() else [path]
        except OSError:
            continue
        for file in files:
            try:
                stat = file.stat()
            except OSError:
                continue
            found.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)


@dataclass(slots=True, kw_only=True)
class Definitions:
    """The definition files of one node, read anew when one of them changed."""

    paths: tuple[Path, ...]
    load: Callable[[], Catalogue]
    """Reads them; raises ConfigError or PlanError."""
    registered: RegisteredAgents = field(default_factory=RegisteredAgents)
    """The agents that the swarm knows, which `load` reads too."""
    stamp: Callable[[], object] = lambda: None
    """What else `load` depends on, as it stands now."""
    _read: tuple[Signature, object, object] | None = field(default=None, init=False)

    def first(self) -> Catalogue:
        """Read them for the first time. Raises ConfigError or PlanError."""
        self._read = self._now()
        return self.load()

    def again(self) -> Catalogue | None:
        """Return the catalogue if a file or a registered agent changed since the last look, else None.

        A mistake in one keeps what was read before; it is logged once for each change.
        """
        now = self._now()
        if now == self._read:
            return None
        self._read = now
        try:
            return self.load()
        except (ConfigError, PlanError) as error:
            log.warning("definitions changed and were not taken over: %s", error)
            return None

    def _now(self) -> tuple[Signature, object, object]:
        return signature(self.paths), self.registered.version, self.stamp()


def fixed(executors: Executors, templates: tuple[Template, ...] = ()) -> Definitions:
    """Return definitions that stand in no file."""
    return Definitions(paths=(), load=lambda: Catalogue(executors=executors, templates=templates))


@dataclass(slots=True, kw_only=True)
class Adverts:
    """Keeps one node's offering current. Use `begin`, then `run` beside the work."""

    definitions: Definitions
    make: Callable[[Executors], Offering]
    """Looks at the machine; raises NameRefused only for settings, so at the first look or never."""
    templates: tuple[Template, ...] = field(default=(), init=False)
    every: timedelta = EVERY
    begun: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set once the first look found nothing wrong in the definitions."""
    _offering: Offering | None = field(default=None, init=False)

    @property
    def offering(self) -> Offering:
        """What the node can do, as of the last look."""
        assert self._offering is not None, "begin comes first"
        return self._offering

    def find(self, queued: QueuedTask) -> Executor | None:
        """Return the executor for a task, or None when this machine has none ready."""
        return self.offering.find(queued)

    def can_run(self, demand: str, capability: str | None) -> bool:
        """Return whether this node has an executor for a demand."""
        return self.offering.can_run(demand, capability)

    async def begin(self) -> Offering:
        """Look for the first time. Raises ConfigError, PlanError and NameRefused."""

        def look() -> tuple[Catalogue, Offering]:
            catalogue = self.definitions.first()
            return catalogue, self.make(catalogue.executors)

        catalogue, offering = await _looked(look)
        self.templates, self._offering = catalogue.templates, offering
        self.begun.set()
        return offering

    async def run(
        self,
        changed: Callable[[Offering], None],
        templates_changed: Callable[[tuple[Template, ...]], None],
    ) -> None:
        """Look until cancelled, and tell when the node can do more or less than before."""
        known_problem = ""
        while True:
            await asyncio.sleep(self.every.total_seconds())
            try:
                catalogue, after = await _looked(self._look)
            except Exception as error:
                # A node that works goes on with what it knows, whatever a file or a folder does.
                problem = f"{type(error).__name__}: {error}"
                if problem != known_problem:
                    log.warning(
                        "this machine could not be looked at, what was advertised stays: %s",
                        problem,
                        exc_info=True,
                    )
                known_problem = problem
                continue
            known_problem = ""
            if catalogue is not None and catalogue.templates != self.templates:
                self.templates = catalogue.templates
                log.info("workflows changed: %d are known", len(self.templates))
                templates_changed(self.templates)
            before, self._offering = self.offering, after
            for line in changes(before, after):
                log.info("%s", line)
            if _differ(before, after):
                changed(after)

    def _look(self) -> tuple[Catalogue | None, Offering]:
        catalogue = self.definitions.again()
        return catalogue, self.make(self.offering.executors if catalogue is None else catalogue.executors)


async def _looked(look: Callable[[], T]) -> T:
    """Return what a look finds, however long it takes; a word on one that takes long."""
    looking = apart(look, name="look at this machine")
    done, _ = await asyncio.wait({looking}, timeout=SLOW.total_seconds())
    if not done:
        log.warning(
            "looking at this machine takes over %d s: does the disk answer on which the definition files "
            "and the folders of the PATH lie?",
            SLOW.total_seconds(),
        )
    return await looking


def _differ(before: Offering, after: Offering) -> bool:
    return before.offer != after.offer or before.not_ready != after.not_ready
