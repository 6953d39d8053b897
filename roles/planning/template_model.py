"""What a workflow template says: the keys of its YAML, each with what it means and its default."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from ...config.names import STEP
from ..synthesis.table_options import TableOptions
from .inputs import INPUT_NAME, Input

Unroutable = Literal["wait", "fail", "skip", "local"]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TemplateMatch(_Strict):
    """When a template serves a request that does not name it; see `match.asks_for`."""

    repository: bool = False
    """The request must bring a repository."""
    asks: tuple[str, ...] = ()
    """Phrases, one of which must begin a clause of the request; empty: only by name."""
    unless: tuple[str, ...] = ()
    """Phrases that must begin no clause of it."""
    skip: tuple[str, ...] = ()
    """Words that may stand before either."""


class TemplateRetry(_Strict):
    """How failed attempts go on; what is None is taken from the defaults, then from the capability's own."""

    attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    """The same as `max_attempts`, and goes before it."""
    delay_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """Pause before the second attempt, in seconds; it doubles from then on."""
    longest_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """The longest such pause, in seconds."""
    final: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Patterns of errors that no further attempt can mend; `*` and `?` as in a shell."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.delay_s is not None and self.longest_s is not None and self.longest_s < self.delay_s:
            raise ValueError("longest_s is below delay_s: raise it, or leave it out")
        if any(not pattern.strip() for pattern in self.final):
            raise ValueError("final: an empty pattern fits no error: remove it")
        return self


class TemplateDefaults(_Strict):
    """What each task has that does not say otherwise."""

    repository: bool = True
    """Pass on the request's repository, if it has one."""
    unroutable: Unroutable = "wait"
    grace_s: Annotated[float, Field(ge=0)] = 10.0
    """Seconds without a live node before `unroutable` acts."""
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Longest run of one attempt, in seconds."""
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    """Longest time of a task from its release to its end, all attempts and pauses together, in seconds."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    """None: 3, or as the capability's definition says."""
    retry: TemplateRetry = TemplateRetry()


class TemplateTask(_Strict):
    """One task, or with `for_each` one per item; what is None is taken from the defaults.

    `title`, `demand`, `input`, `repository` and `after` may hold references (`substitute`).
    """

    step: str
    """Its name; tasks that fan out are `<step>-1`, `<step>-2` …"""
    title: str = ""
    demand: str
    capability: str | None = None
    """What is to be done, where the demand says only where (a node, an agent, labels)."""
    for_each: str | tuple[JsonValue, ...] | None = None
    """The name of an input that is a list, or the list itself: one task for each `${item}`."""
    shards: Annotated[int, Field(ge=1)] | str | None = None
    """So many tasks at most, each with every n-th item; `${item}` is then a list."""
    batch: Annotated[int, Field(ge=1)] | str | None = None
    """So many items for each task; `${item}` is then a list."""
    when: str | None = None
    """The name of an input: without a value (or with false, "", 0, []) the task is left out."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    after: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Steps that come first; one that fans out stands for all its tasks, `<step>-${index}` for one."""
    needs: Literal["all", "settled"] = "all"
    priority: Annotated[int, Field(ge=0, le=3)] | None = None
    repository: bool | str | None = None
    """Whether it gets the request's repository; or `${item}`, of an input of type repositories."""
    unroutable: Unroutable | None = None
    grace_s: Annotated[float, Field(ge=0)] | None = None
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    retry: TemplateRetry = TemplateRetry()


class Template(_Strict):
    """A plan in waiting: when it serves, its inputs and tasks, and how their results are joined."""

    name: Annotated[str, Field(pattern=f"^{STEP.pattern}$")]
    title: str = ""
    match: TemplateMatch = TemplateMatch()
    inputs: Mapping[Annotated[str, Field(pattern=f"^{INPUT_NAME}$")], Input] = Field(default_factory=dict)
    defaults: TemplateDefaults = TemplateDefaults()
    tasks: Annotated[tuple[TemplateTask, ...], Field(min_length=1)]
    join: str | TableOptions = "plain"
    """A join of `synthesis.join`, `step:NAME` for that task's result, or a mapping for a table."""
    partial: Literal["ok", "fail"] = "ok"
    """What it means that a task did not end done: `done(partial)`, or that the request failed."""

    def to_json(self) -> JsonValue:
        """Return the form in which it travels with a request (`Request.workflow`)."""
        data: JsonValue = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return data
