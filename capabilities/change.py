"""A change: which lines of which files differ from a base, as it travels with a request. Pure.

The sender works it out, in its own clone; a reviewer reads the whole repository and keeps what it saw
on these lines.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..errors import FinalError
from ..swarm.records import Record

INPUT = "change"
"""The key of a request's input under which it travels."""

Span = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
"""First and last line, from 1, both included."""


class ChangedFile(BaseModel):
    """What a change did to one file that is still there."""

    model_config = ConfigDict(frozen=True)

    new: bool = False
    """The base has no such file: also what was found on the file as a whole is the change's."""
    spans: tuple[Span, ...] = ()
    """The lines that the change wrote."""

    @property
    def lines(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)


class Change(Record):
    """What differs between a base and what was sent."""

    kind_name: ClassVar[str] = "change"
    base: str
    """As its sender wrote it."""
    commit: str
    """The commit compared with: where base and head parted."""
    head: str
    """What was compared: a commit, or `working tree`."""
    files: dict[str, ChangedFile] = Field(default_factory=dict)
    """By path below the folder that was sent."""
    removed: int = 0
    """Files that the change removed."""
    binary: int = 0
    """Files that are no text: nobody reads their lines."""

    @property
    def lines(self) -> int:
        """How many lines it wrote."""
        return sum(file.lines for file in self.files.values())

    @property
    def title(self) -> str:
        """Return `main..working tree`."""
        return f"{self.base}..{self.head[:12] if len(self.head) >= 40 else self.head}"

    def touches(self, path: str, line: int) -> bool:
        """Return whether a finding at this place is the change's; line 0 is the whole file."""
        file = self.files.get(path)
        if file is None:
            return False
        return file.new or any(first <= line <= last for first, last in file.spans)


def change_of(given: Mapping[str, JsonValue]) -> Change | None:
    """Return the change in a request's or task's input, if it has one.

    Raises FinalError when it cannot be read: a review of everything would pass for one of the change.
    """
    if (raw := given.get(INPUT)) is None:
        return None
    try:
        return Change.model_validate(raw)
    except ValidationError:
        raise FinalError(
            "the request's change cannot be read: its sender runs another version, upgrade the older of the two"
        ) from None
