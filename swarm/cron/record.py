"""The record of a recurring request, as it stands on the subject of its name."""

from typing import ClassVar

from pydantic import Field

from ..records import Record, Request, new_id


class Schedule(Record):
    """A recurring request: when, and what is asked each time."""

    kind_name: ClassVar[str] = "schedule"
    name: str
    spec: str
    """As it was typed."""
    zone: str = "UTC"
    """Time zone of the spec, by its name in the tz database."""
    request: Request
    """What is asked; each firing has an id of its own. A repository has no commit yet."""
    enabled: bool = True
    thinned: bool = False
    """The server fires it more often than it is due (`pattern`)."""
    edit: str = Field(default_factory=new_id)
    """Which change of it this is."""
    created_at: float
    """Server time, seconds since the epoch."""
    created_by: str = ""
    changed_at: float
    changed_by: str = ""
