"""The one interface of all work: `Executor.execute(task, context) -> Result`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..swarm.records import ArtifactRef, QueuedTask, RepositoryRef, Result, Retry


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an executor can serve on this machine now, and if not, what it needs, in words."""

    ready: bool
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """What people are told of an executor that a user defined, beyond its name."""

    kind: str
    """`command` or `function`."""
    place: str
    """Where it is defined: `FILE:LINE`, or the package that brings it."""
    text: str = ""
    """What it does, in the words of whoever defined it."""


class Artifacts(Protocol):
    """Bodies that are too large for a message."""

    async def put(self, data: bytes, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        """Store a body under its digest; storing it again is harmless."""
        ...

    async def put_file(self, path: Path, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        """Store a file's content under its digest."""
        ...

    async def get(self, ref: ArtifactRef) -> bytes:
        """Fetch a body; raises SwarmError when it is gone or does not match its digest."""
        ...

    async def get_file(self, ref: ArtifactRef, path: Path) -> None:
        """Fetch a body into a file; raises SwarmError when it is gone or does not match its digest."""
        ...


class Context(Protocol):
    """What a running job may ask of its node."""

    @property
    def attempt(self) -> int: ...

    @property
    def artifacts(self) -> Artifacts: ...

    async def progress(self, message: str, *, fraction: float | None = None) -> None:
        """Tell whoever watches; may be lost, never decides anything."""
        ...

    async def workspace(self) -> Path:
        """Return this job's own empty folder; it is removed when the job ends."""
        ...

    async def checkout(self, repository: RepositoryRef) -> Path:
        """Return the repository's files, read-only, from the node's cache."""
        ...


class Executor(Protocol):
    """Does one kind of work. A new kind of work is one new file with one of these."""

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that it serves, by wire name."""
        ...

    def readiness(self, capability: str) -> Readiness:
        """Return whether this machine can serve the capability now; cheap, no network."""
        ...

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Do the work.

        It is cancelled (asyncio) when the task is cancelled, fenced or past its deadline, and must
        end whatever it started before the cancellation leaves it. Raises FinalError or
        RetryableError; any other exception counts as retryable.
        """
        ...


@runtime_checkable
class UserDefined(Protocol):
    """An executor that stands in a definition of the user's."""

    @property
    def described(self) -> Described: ...


@runtime_checkable
class WithRetry(Protocol):
    """An executor whose definition says how its failed attempts go on."""

    @property
    def retry(self) -> Retry | None: ...


@runtime_checkable
class AgentServed(Protocol):
    """An executor that is an agent; it serves the lane `agent:NAME` beside its capabilities."""

    @property
    def agent(self) -> str:
        """Its name."""
        ...

    @property
    def own(self) -> bool:
        """Whether a file of this machine defines it, as opposed to the registry or picoclaw itself."""
        ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    def readiness(self, capability: str) -> Readiness: ...

    async def execute(self, task: QueuedTask, context: Context) -> Result: ...


@runtime_checkable
class OfAProgram(Protocol):
    """An agent that is a program of others: there where it is installed, and nobody's mistake where not."""

    @property
    def program(self) -> str:
        """Its name, and the agent's."""
        ...

    def readiness(self, capability: str) -> Readiness: ...


Executors = Mapping[str, Executor]
"""Capability by wire name, and `agent:NAME`, to the executor that serves it."""
