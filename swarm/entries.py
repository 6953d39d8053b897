"""Entries of the task log: each transition of a task or request is one of these (DESIGN.md section 3).

Every entry says all that the next decision needs, so that the last one alone is the current state.
"""

import time
from typing import Annotated, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError

from .records import (
    VERSION,
    ArtifactRef,
    Delivery,
    Plan,
    Record,
    Request,
    Result,
    new_id,
    refusal,
    unknown_version,
)

CancelReason = Literal["person", "skipped", "replanned", "dependency", "request"]
FailReason = Literal["error", "deadline", "dependency", "unroutable", "plan"]


class EntryBase(Record):
    """What every entry carries."""

    kind_name: ClassVar[str] = "log entry"
    id: str = Field(default_factory=new_id)
    by: str = ""
    """Who wrote it: a node, or a person's command."""
    at: float = Field(default_factory=time.time)
    """The writer's clock, for display only: decisions use the server's time."""


class Queued(EntryBase):
    """The task may run: it has, or is about to have, its message in the work queue."""

    kind: Literal["queued"] = "queued"
    attempt: int = 1
    excused: int = 0
    """How many earlier attempts do not count against the limit (drains)."""
    demand: str
    priority: int
    reason: str = ""
    not_before: float | None = None
    """Server time, in seconds since the epoch."""


class Started(EntryBase):
    """A run holds the task."""

    kind: Literal["started"] = "started"
    node: str
    run: str
    attempt: int
    excused: int = 0
    demand: str
    priority: int
    delivery: Delivery
    ack: str
    """The delivery's reply subject, so that whoever fences the holder can hand the task back."""
    limit: int | None = None
    """Attempts that the capability's definition allows, where neither request nor plan name a limit."""
    beat: int
    """The last heartbeat of the run before this entry; a later one lists the task while it is held."""


class Done(EntryBase):
    """The end everybody hopes for; of a request, with its report."""

    kind: Literal["done"] = "done"
    node: str = ""
    run: str = ""
    attempt: int = 1
    result: Result
    carried: str | None = None
    """The request in which the task was done, where it was not done again."""
    partial: bool = False
    """Something is missing from the request's report."""


class Failed(EntryBase):
    """A final error, or a deadline."""

    kind: Literal["failed"] = "failed"
    reason: FailReason
    error: str
    attempt: int = 0
    node: str = ""
    result: Result | None = None
    """A request's report, as far as there is one."""
    carried: str | None = None
    """The request in which the task ended so, where it did not run again."""


class Cancelled(EntryBase):
    """Ended without running to its end, on purpose."""

    kind: Literal["cancelled"] = "cancelled"
    reason: CancelReason
    why: str
    text: str | None = None
    """What had been asked, in short, where no coordinator had written it down."""
    result: Result | None = None
    carried: str | None = None
    """The request in which the task ended so, where it did not run again."""


class Dead(EntryBase):
    """The attempts are used up."""

    kind: Literal["dead"] = "dead"
    attempt: int
    error: str
    node: str = ""
    carried: str | None = None
    """The request in which the task ended so, where it did not run again."""


class Accepted(EntryBase):
    """A coordinator has taken the request over from the inbox."""

    kind: Literal["accepted"] = "accepted"
    owner: str
    run: str
    request: Request


class Owner(EntryBase):
    """Another coordinator, or the same one restarted, goes on with the request."""

    kind: Literal["owner"] = "owner"
    owner: str
    run: str


class Planned(EntryBase):
    """The manifest: every task of the request."""

    kind: Literal["planned"] = "planned"
    owner: str
    run: str
    plan: Plan | None = None
    ref: ArtifactRef | None = None
    """Where the plan lies when it was too large for the log."""
    revision: Annotated[int, Field(ge=2)] | None = None
    """Set: it takes the place of the plan before, with all of its tasks; counted from the first, which is 1."""


class Cancelling(EntryBase):
    """Somebody asked for the request's end; its owner ends the tasks first."""

    kind: Literal["cancelling"] = "cancelling"
    why: str
    owner: str = ""
    run: str = ""


RequestEntry = Accepted | Owner | Planned | Cancelling | Done | Failed | Cancelled
Entry = Annotated[
    Queued | Started | Done | Failed | Cancelled | Dead | Accepted | Owner | Planned | Cancelling,
    Field(discriminator="kind"),
]

_ADAPTER: TypeAdapter[Entry] = TypeAdapter(Entry)


def read_entry(data: bytes) -> Entry:
    """Read an entry's wire form.

    Raises RecordRefused when it is not JSON, not an entry, or of an unknown major version.
    """
    try:
        entry = _ADAPTER.validate_json(data)
    except ValidationError as error:
        raise refusal("log entry", data, error) from None
    if entry.v != VERSION:
        raise unknown_version("log entry", entry.v)
    return entry
