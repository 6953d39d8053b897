"""Records: the wire form of everything the swarm writes down, with versions.

A record is JSON with a version `v`. Fields that this version does not know are kept and passed on;
a major version that it does not know is refused in words (RecordRefused).
"""

import json
import secrets
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..errors import RecordRefused

VERSION = 1

State = Literal["planned", "queued", "running", "done", "failed", "cancelled", "dead"]
TERMINAL: frozenset[str] = frozenset({"done", "failed", "cancelled", "dead"})


def new_id() -> str:
    """Return a random id of 16 hex digits, for an entry or a run."""
    return secrets.token_hex(8)


class Record(BaseModel):
    """Base of all that goes over the wire."""

    model_config = ConfigDict(frozen=True, extra="allow", ser_json_inf_nan="null")

    kind_name: ClassVar[str] = "record"
    v: int = VERSION

    def to_bytes(self) -> bytes:
        """Return the wire form: compact JSON, absent values left out."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the wire form.

        Raises RecordRefused when it is not JSON, not this record, or of an unknown major version.
        """
        try:
            record = cls.model_validate_json(data)
        except ValidationError as error:
            raise refusal(cls.kind_name, data, error) from None
        if record.v != VERSION:
            raise unknown_version(cls.kind_name, record.v)
        return record


def refusal(kind: str, data: bytes, error: ValidationError) -> RecordRefused:
    """Put a validation error in one line, without repeating the message's content."""
    version = version_of(data)
    if version not in (None, VERSION):
        return unknown_version(kind, version)
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the message"
    # Pydantic's own words for this one repeat what the message says, whole.
    what = "its kind is unknown" if first["type"] == "union_tag_invalid" else first["msg"]
    where, what = (" ".join(text.split())[:200] for text in (where, what))
    return RecordRefused(
        f"not a valid {kind} ({len(data)} bytes): {where}: {what}; "
        "its sender is not a PicoClaw node of a version that fits, or the message was damaged"
    )


def unknown_version(kind: str, version: int) -> RecordRefused:
    """Return the refusal of a record whose major version this program does not know."""
    return RecordRefused(
        f"{kind} has version {version}, this program understands {VERSION}: upgrade this node"
    )


def version_of(data: bytes) -> int | None:
    """Return the version that a message claims; None where it claims none."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return None
    version = message.get("v") if isinstance(message, dict) else None
    return version if isinstance(version, int) else None


class ArtifactRef(Record):
    """A body in the object store, by its name there."""

    kind_name: ClassVar[str] = "artifact reference"
    name: str
    size: int
    digest: str
    """SHA-256 in hex."""
    media_type: str = "application/json"
    filename: str | None = None


class RepositoryRef(Record):
    """A repository by reference: a git URL and commit, or a snapshot in the object store."""

    kind_name: ClassVar[str] = "repository reference"
    url: str | None = None
    commit: str | None = None
    snapshot: ArtifactRef | None = None
    label: str = ""
    """What people see: the folder's name or the URL; never a path of the sender's machine."""
    place: str | None = None
    """Where the folder lies in the repository that it is a part of, such as `src/web`; None: it is all of it."""


class Retry(Record):
    """How the failed attempts of a task go on; what is None is the default of its kind."""

    kind_name: ClassVar[str] = "retry policy"
    attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    first_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """Pause before the second attempt, in seconds; it doubles from then on."""
    longest_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """The longest pause, in seconds."""
    final: tuple[str, ...] = ()
    """Shell patterns of errors that no further attempt can mend."""


class Broadcast(Record):
    """A request for every matching node, each once."""

    kind_name: ClassVar[str] = "broadcast"
    quorum: (
        Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"^(majority|(100|[1-9][0-9]?)%)$")] | None
    ) = None
    """How many of the nodes must answer for the request to end done: a number, `majority`, `N%`; None: all."""
    within_s: Annotated[float, Field(gt=0)] | None = None
    """Longest wait for the answers, in seconds from the request's acceptance."""


class Retried(Record):
    """What a request repeats: only what did not finish in an earlier one."""

    kind_name: ClassVar[str] = "retried request"
    request: str
    steps: tuple[str, ...] = ()
    """The steps that run again, with what depends on them; empty: each that did not end done."""


class Firing(Record):
    """Which firing of which schedule made a request."""

    kind_name: ClassVar[str] = "firing"
    schedule: str
    """Name of the recurring request."""
    at: float
    """Server time of the firing, in seconds since the epoch."""


class Limited(Record):
    """What agents may spend on a request, with all that it hands on; what is None is not limited."""

    kind_name: ClassVar[str] = "budget"
    usd: Annotated[float, Field(ge=0)] | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None
    turns: Annotated[int, Field(ge=0)] | None = None
    on_breach: Literal["ask", "wrap_up"] = "wrap_up"


class Payer(Record):
    """An account that pays for a task beside its own: a task that handed the work on."""

    kind_name: ClassVar[str] = "payer"
    task: str
    """Id of the task that handed the work on."""
    limits: Limited


Decision = Literal["allow", "ask", "deny"]


class RuleRecord(Record):
    """One rule of an agent's policy."""

    kind_name: ClassVar[str] = "policy rule"
    tool: str
    what: str | None = None
    decision: Decision


class PolicyRecord(Record):
    """What an agent is held to."""

    kind_name: ClassVar[str] = "policy"
    rules: tuple[RuleRecord, ...] = ()
    default: Decision = "allow"
    """What holds where no rule fits."""


class Parent(Record):
    """Where a request comes from that an agent handed to the swarm."""

    kind_name: ClassVar[str] = "parent"
    task: str
    """Id of the task that waits for it."""
    root: str
    """Id of the request that a person asked, at the head of the tree."""
    depth: Annotated[int, Field(ge=1, le=100)]
    """1: handed on by a task of the root."""
    payers: tuple[Payer, ...] = ()
    """The tasks above it that have budgets of their own, the nearest last."""
    policies: tuple[PolicyRecord, ...] = ()
    """What the agents above it are held to: whoever they hand work to is, too."""


class Task(Record):
    """One subtask of a plan: what is to be done, by what capability, under which limits."""

    kind_name: ClassVar[str] = "task"
    step: str
    title: str = ""
    demand: str
    """Canonical demand (`swarm.demand`)."""
    capability: str | None = None
    """What is to be done, by wire name, where the demand says only where (a node, labels)."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    """The executor's input; `text` is the request in words."""
    repository: RepositoryRef | None = None
    after: tuple[str, ...] = ()
    """Steps whose results are inputs of this one."""
    needs: Literal["all", "settled"] = "all"
    """`all`: a dependency that ends otherwise than done cancels this task; `settled`: it runs anyway."""
    priority: Annotated[int, Field(ge=0, le=3)] | None = None
    """None: the request's."""
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Longest run of one attempt, in seconds; past it the task ends failed(deadline)."""
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    """Longest time from its release to its end, all attempts and pauses together, in seconds."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    retry: Retry | None = None
    unroutable: Literal["wait", "fail", "skip", "local"] = "wait"
    """What to do while no live node serves the demand."""
    grace_s: Annotated[float, Field(ge=0)] = 10.0
    """How long no live node may serve the demand before `fail`, `skip` or `local` acts, in seconds."""


class Planning(Record):
    """How a plan came about, where a model had to do with it."""

    kind_name: ClassVar[str] = "planning"
    by: Literal["model", "template", "direct"]
    """`template`, `direct`: what was taken because the model's plan would not do."""
    model: str = ""
    note: str = ""
    """Why, in words: of a plan by a model its own reason, else why that one would not do."""
    revision: Annotated[int, Field(ge=1)] = 1
    """Counts the plans of the request: a model may change the plan of a running one."""
    settled: tuple[str, ...] = ()
    """Steps whose bad end, or question, a later plan has dealt with."""
    dropped: tuple[str, ...] = ()
    """Steps that a later plan needs no more: what of them had not begun by then ends cancelled."""
    turns: int = 0
    tokens: int = 0
    usd: float | None = None
    """What all plans of the request together took; None: no price is known."""


class Plan(Record):
    """The manifest of a request: all its tasks, and how their results are joined."""

    kind_name: ClassVar[str] = "plan"
    tasks: tuple[Task, ...]
    join: str = "plain"
    """The synthesis that joins the results (`roles.synthesis`)."""
    join_options: JsonValue = None
    """What that synthesis is told, where it takes anything: the columns of a table."""
    partial: Literal["fail"] | None = None
    """`fail`: the request ends failed unless each of its tasks is done."""
    template: str | None = None
    planning: Planning | None = None
    """None: a template or a dispatch, without a model."""


class Result(Record):
    """What an executor returns."""

    kind_name: ClassVar[str] = "result"
    summary: str = ""
    data: JsonValue = None
    artifacts: tuple[ArtifactRef, ...] = ()
    log: str | None = None
    """The end of what was said on the way, beside the result itself."""
    partial: str | None = None
    """What is missing from it, in words, where whoever made it could not finish."""
    ref: ArtifactRef | None = None
    """Where the whole result lies when it was too large for the log; then `data` is absent."""


class Request(Record):
    """What a user asked, as it stands in the inbox and in `accepted`."""

    kind_name: ClassVar[str] = "request"
    id: str
    key_digest: str
    """SHA-256 of the idempotency key, whole."""
    text: str
    demand: str | None = None
    """Set by `dispatch --capability`: one task with this demand, no planning."""
    capability: str | None = None
    """What that task is to do, where the demand says only where."""
    repository: RepositoryRef | None = None
    template: str | None = None
    plan: Literal["model"] | None = None
    """`model`: a model plans it, whatever template matches."""
    workflow: JsonValue = None
    """A whole template that goes before those of the coordinator; `template` then holds its name."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    priority: Annotated[int, Field(ge=0, le=3)] = 1
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    """Longest time from acceptance to the end, in seconds."""
    unroutable: Literal["wait", "fail", "skip", "local"] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    task_timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Longest run of one attempt at any of its tasks, in seconds; it goes before theirs."""
    task_deadline_s: Annotated[float, Field(gt=0)] | None = None
    """Longest time of any of its tasks from release to end, in seconds; it goes before theirs."""
    retry: Retry | None = None
    """The retry policy of all its tasks; it goes before theirs."""
    broadcast: Broadcast | None = None
    """Set: the demand goes to every node that meets it, each a task of its own."""
    retried: Retried | None = None
    """Set: the request repeats what did not finish of an earlier one."""
    firing: Firing | None = None
    """Set: a schedule of the server made it."""
    budget: Limited | None = None
    """What its agents may spend, with all that they hand on; of one with a parent, the root's."""
    parent: Parent | None = None
    """Set: an agent's task handed it on, and waits for it."""
    ref: ArtifactRef | None = None
    """Where the whole request lies when it was too large for a message."""
    trace: str | None = None
    """W3C `traceparent` of the span that it is part of, where whoever sent it traces."""
    sender: str = ""


class QueuedTask(Record):
    """A message of the work queue: a task ready to run, with the results that it builds on."""

    kind_name: ClassVar[str] = "queued task"
    request: str
    task: Task
    priority: Annotated[int, Field(ge=0, le=3)]
    queued_seq: Annotated[int, Field(ge=1)]
    """Sequence of its `queued` entry in the log."""
    attempt: int = 1
    excused: int = 0
    lane: str | None = None
    """The demand of the lane it stands in, where that is not the task's own (run locally)."""
    text: str = ""
    """The request in words."""
    inputs: dict[str, Result] = Field(default_factory=dict)
    """Results of the steps in `task.after`."""
    budget: Limited | None = None
    """The request's."""
    parent: Parent | None = None
    """The request's."""
    ref: ArtifactRef | None = None
    """Where the whole message lies when it was too large."""
    trace: str | None = None
    """W3C `traceparent` of the request's span, where its coordinator traces."""

    @property
    def id(self) -> str:
        """The task's id, `<request>.<step>`."""
        return f"{self.request}.{self.task.step}"


class DeadLetter(Record):
    """A task whose attempts are used up, with its body, so that it can be sent again once mended."""

    kind_name: ClassVar[str] = "dead letter"
    queued: QueuedTask
    attempt: int
    error: str
    node: str = ""


class Delivery(Record):
    """Which delivery of a queue message a holder acts on; later ones compare greater."""

    kind_name: ClassVar[str] = "delivery"
    seq: int
    count: int

    def newer_than(self, other: "Delivery") -> bool:
        return (self.seq, self.count) > (other.seq, other.count)


def read_json(data: bytes, what: str) -> Any:
    """Parse JSON from outside; raises RecordRefused in one line."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise RecordRefused(
            f"{what} ({len(data)} bytes) is not JSON: it was not written by PicoClaw"
        ) from None
