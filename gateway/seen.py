"""What the Python client hands out: frozen data, free of the records of the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..swarm.views.history import HistoryRow
from ..swarm.views.requests import RequestRow, TaskRow


@dataclass(frozen=True, slots=True)
class RequestHandle:
    """A request that was handed in."""

    id: str
    new: bool = True
    """False: the same idempotency key had brought it in before."""

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a request."""

    request: str
    step: str
    """The task's step; empty for the request itself."""
    what: str
    """`accepted`, `planned`, `queued`, `running`, `done`, `failed`, `cancelled`, `dead` and the like, or
    `progress`, or `said`: a piece of what an agent says, as it comes."""
    message: str = ""
    node: str = ""
    attempt: int | None = None
    at: float | None = None
    """Server time in seconds since the epoch; None for progress and what is said."""
    seq: int | None = None
    """Its place in the log; None for progress and what is said, which may be lost."""
    fraction: float | None = None
    """Of progress: how much is done, 0 to 1, where the job says so."""
    last: bool = False
    """The request has ended with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A request's end."""

    request: str
    state: str
    """`done`, `failed` or `cancelled`."""
    partial: bool = False
    """Done, but a part is missing; the report says which."""
    reason: str = ""
    """Why it did not end done."""
    summary: str = ""
    """The report in a line."""
    markdown: str = ""
    """The report for people; empty where there is none."""
    data: Any = None
    """The report for programs, as JSON has it; None where there is none."""

    @property
    def ok(self) -> bool:
        """Whether it is done, with nothing missing."""
        return self.state == "done" and not self.partial


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What a task brought, or how far it has come."""

    task: str
    state: str
    reason: str = ""
    summary: str = ""
    data: Any = None
    artifacts: tuple[Mapping[str, Any], ...] = ()
    """Name, size, digest and media type of each file that it left in the swarm."""
    log: str = ""
    """What its program said beside its result."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "failed", "cancelled", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A request with all its tasks and its whole history."""

    request: RequestRow
    tasks: tuple[TaskRow, ...]
    history: tuple[HistoryRow, ...]
