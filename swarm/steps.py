"""Steps: what the journal of a task holds (DESIGN.md section 6). Only deltas: a step never repeats another.

A step is written `intent` before its effect and `outcome` after it. Whoever takes a task over first writes
`takeover`; what others wrote later is refused by compare-and-set.
"""

import time
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from .records import VERSION, ArtifactRef, Record, new_id, refusal, unknown_version

What = Literal["turn", "tool", "compact"]


class StepBase(Record):
    """What every step carries."""

    kind_name: ClassVar[str] = "journal step"
    id: str = Field(default_factory=new_id)
    at: float = Field(default_factory=time.time)
    """The writer's clock, for display only."""


class Takeover(StepBase):
    """A run goes on with the task from here."""

    kind: Literal["takeover"] = "takeover"
    attempt: int
    node: str
    run: str


class Intent(StepBase):
    """The next entry's effect is about to be had."""

    kind: Literal["intent"] = "intent"
    number: Annotated[int, Field(ge=1)]
    """Counts the steps of the task through all of its attempts; a repeated step keeps its number."""
    what: What
    name: str
    """The model that is asked first, or the tool."""
    call: str = ""
    """Of a tool: the id of the model's call."""
    repeatable: bool
    """Whether a crash before the outcome repeats it; else the task stops as uncertain, and asks."""
    digest: str = ""
    """SHA-256 of all that the effect depends on, in hex: an answered question is answered for this only."""
    reserved_usd: float | None = None
    reserved_tokens: int = 0
    """What was taken from the budget for it."""


class Outcome(StepBase):
    """What came of an intent."""

    kind: Literal["outcome"] = "outcome"
    number: Annotated[int, Field(ge=1)]
    state: Literal["ok", "error", "uncertain"] = "ok"
    body: JsonValue = None
    """Of a turn, a `Turn`; of a tool, its answer."""
    ref: ArtifactRef | None = None
    """Where the body lies when it was too large; then `body` is absent."""
    error: str = ""
    maybe_billed: int = 0
    """Questions on the way to it that have no answer and may have been paid for."""


class Note(StepBase):
    """What somebody else decided about the run, as it took effect in it."""

    kind: Literal["note"] = "note"
    what: Literal["asked", "answered", "paused", "resumed", "told"]
    number: int = 0
    """The step that it is about."""
    body: JsonValue = None


Step = Annotated[Takeover | Intent | Outcome | Note, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Step] = TypeAdapter(Step)


def read_step(data: bytes) -> Step:
    """Read a step's wire form.

    Raises RecordRefused when it is not JSON, not a step, or of an unknown major version.
    """
    try:
        step = _ADAPTER.validate_json(data)
    except ValidationError as error:
        raise refusal("journal step", data, error) from None
    if step.v != VERSION:
        raise unknown_version("journal step", step.v)
    return step
