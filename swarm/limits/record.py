"""Limits: what an operator set for the whole swarm, in one record, so that no two nodes disagree. Pure.

It stands in the bucket `registry`, under `limits`; every node follows it and applies a change at run
time. What is None there is as `streams.Limits` has it, or not limited.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..records import Record
from ..streams import Limits

Value = timedelta | int | float
"""An age, a count or a number of bytes, or USD."""
KEY = "limits"
"""Its key in the registry."""

MOST = 1_000_000
Count = Annotated[int, Field(ge=1, le=MOST)]
Seconds = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(ge=1)]


class SwarmLimits(Record):
    """Caps, quotas, ages in seconds and sizes in bytes; None: the default."""

    kind_name: ClassVar[str] = "limits"
    caps: Mapping[str, Annotated[int, Field(ge=0, le=MOST)]] = Field(default_factory=dict)
    """Capability by wire name to the most jobs of it in the whole swarm; 0 pauses it."""
    request_running: Count | None = None
    """Tasks of one request that are on their lanes or running."""
    request_queued: Count | None = None
    """Tasks that one request may have at all."""
    tenant_running: Count | None = None
    """Tasks of the H-id that are on their lanes or running."""
    tenant_queued: Count | None = None
    """Requests of the H-id that are open."""
    budget_usd: Annotated[float, Field(ge=0)] | None = None
    """What the agents of the H-id may spend in a day (UTC), in USD."""
    budget_tokens: Annotated[int, Field(ge=0)] | None = None
    budget_turns: Annotated[int, Field(ge=0)] | None = None
    keep_requests_s: Seconds | None = None
    keep_dead_letters_s: Seconds | None = None
    keep_artifacts_s: Seconds | None = None
    keep_events_s: Seconds | None = None
    keep_lanes_s: Seconds | None = None
    size_log: Size | None = None
    size_journal: Size | None = None
    size_inbox: Size | None = None
    size_dead_letters: Size | None = None
    size_events: Size | None = None
    size_artifacts: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit that can be set by name."""

    name: str
    """As people write it, such as `keep.requests`."""
    field: str
    """In the record."""
    kind: Literal["count", "age", "size", "usd", "number"]
    least: float
    """Smallest value: a count, seconds, bytes or USD."""
    what: str
    """What it limits, in words."""


_DAY = 86_400.0
LONGEST = 365 * _DAY
"""Longest age, in seconds."""
LARGEST = 1 << 50
"""Largest size, in bytes."""

LIMITS: Mapping[str, Limit] = {
    limit.name: limit
    for limit in (
        Limit(
            name="request.running",
            field="request_running",
            kind="count",
            least=1,
            what="tasks of one request that are on their lanes or running",
        ),
        Limit(
            name="request.queued",
            field="request_queued",
            kind="count",
            least=1,
            what="tasks that one request may have",
        ),
        Limit(
            name="tenant.running",
            field="tenant_running",
            kind="count",
            least=1,
            what="tasks of this H-id that are on their lanes or running",
        ),
        Limit(
            name="tenant.queued",
            field="tenant_queued",
            kind="count",
            least=1,
            what="open requests of this H-id",
        ),
        Limit(
            name="budget.usd",
            field="budget_usd",
            kind="usd",
            least=0,
            what="USD that the agents of this H-id may spend in a day (UTC)",
        ),
        Limit(
            name="budget.tokens",
            field="budget_tokens",
            kind="number",
            least=0,
            what="tokens that the agents of this H-id may use in a day (UTC)",
        ),
        Limit(
            name="budget.turns",
            field="budget_turns",
            kind="number",
            least=0,
            what="questions that the agents of this H-id may ask their models in a day (UTC)",
        ),
        Limit(
            name="keep.requests",
            field="keep_requests_s",
            kind="age",
            least=1,
            what="how long an ended request is kept",
        ),
        Limit(
            name="keep.dead_letters",
            field="keep_dead_letters_s",
            kind="age",
            least=60,
            what="how long a dead letter is kept",
        ),
        Limit(
            name="keep.artifacts",
            field="keep_artifacts_s",
            kind="age",
            least=60,
            what="how long an artifact that no request refers to is kept at most",
        ),
        Limit(
            name="keep.events",
            field="keep_events_s",
            kind="age",
            least=1,
            what="how long progress is kept",
        ),
        Limit(
            name="keep.lanes",
            field="keep_lanes_s",
            kind="age",
            least=1,
            what="how long an empty lane is kept",
        ),
        Limit(
            name="size.log",
            field="size_log",
            kind="size",
            least=1 << 20,
            what="the task log",
        ),
        Limit(
            name="size.journal",
            field="size_journal",
            kind="size",
            least=1 << 20,
            what="the journals of agents",
        ),
        Limit(
            name="size.inbox",
            field="size_inbox",
            kind="size",
            least=1 << 20,
            what="requests that no coordinator has taken yet, above which doors refuse",
        ),
        Limit(
            name="size.dead_letters",
            field="size_dead_letters",
            kind="size",
            least=1 << 20,
            what="the dead letters",
        ),
        Limit(
            name="size.events",
            field="size_events",
            kind="size",
            least=1 << 20,
            what="progress, in the server's memory",
        ),
        Limit(
            name="size.artifacts",
            field="size_artifacts",
            kind="size",
            least=1 << 20,
            what="large bodies and repository snapshots",
        ),
    )
}
"""Every limit but the caps, which are `cap.CAPABILITY`."""
CAP = "cap."

_AGES = {
    "keep_requests_s": "requests_kept",
    "keep_dead_letters_s": "dead_letters_age",
    "keep_artifacts_s": "artifacts_kept",
    "keep_events_s": "events_age",
    "keep_lanes_s": "lane_kept",
}
_SIZES = {
    "size_log": "log",
    "size_journal": "journal",
    "size_inbox": "inbox",
    "size_dead_letters": "dead_letters",
    "size_events": "events",
    "size_artifacts": "artifacts",
}


def effective(base: Limits, record: SwarmLimits) -> Limits:
    """Return the sizes and ages that hold: what was set, and for the rest the base."""
    given: dict[str, Any] = {}
    for field, name in (_AGES | _SIZES).items():
        value = getattr(record, field)
        if value is not None:
            given[name] = timedelta(seconds=value) if field in _AGES else value
    return replace(base, **given)


def default(base: Limits, limit: Limit) -> timedelta | int | None:
    """Return what holds where nobody set the limit; None: nothing limits it."""
    name = (_AGES | _SIZES).get(limit.field)
    found = getattr(base, name) if name is not None else None
    assert found is None or isinstance(found, timedelta | int)
    return found


def value_of(record: SwarmLimits, limit: Limit) -> Value | None:
    """Return what was set for a limit; None: nothing."""
    value = getattr(record, limit.field)
    if value is None:
        return None
    if limit.kind == "usd":
        return float(value)
    return timedelta(seconds=value) if limit.kind == "age" else int(value)


def with_values(record: SwarmLimits, changes: Mapping[str, Value | None]) -> SwarmLimits:
    """Return the record with some limits set, or unset by None; names are those of `LIMITS` and the caps."""
    caps = dict(record.caps)
    fields: dict[str, object] = {}
    for name, value in changes.items():
        if name.startswith(CAP):
            capability = name.removeprefix(CAP)
            if value is None:
                caps.pop(capability, None)
            else:
                assert isinstance(value, int)
                caps[capability] = value
        else:
            fields[LIMITS[name].field] = value.total_seconds() if isinstance(value, timedelta) else value
    return record.model_copy(update={**fields, "caps": dict(sorted(caps.items()))})
