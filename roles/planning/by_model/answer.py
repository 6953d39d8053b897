"""The answer of a model that plans: its JSON Schema, and how it is read. Pure.

Both dialects of structured output want every key named as required, and no free mappings: so a task's own
schema travels as JSON in a string.
"""

import re
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_core import from_json

from ....errors import PlanError
from ....swarm.nesting import too_deep

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
MAX_ANSWER = 1_000_000
"""Characters of an answer that is read at all."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class PlannedTask(_Read):
    """One task as a model plans it."""

    step: str
    title: str = ""
    demand: str
    text: str
    after: tuple[str, ...] = ()
    needs: Literal["all", "settled"] = "all"
    form: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    """JSON Schema of the task's result; None: free text."""

    @field_validator("form", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return from_json(value)
        except ValueError:
            raise ValueError(
                "schema is no JSON: write a JSON Schema as a JSON string, or an empty one"
            ) from None


class ModelPlan(_Read):
    """A whole plan as a model makes it."""

    reason: str = ""
    tasks: tuple[PlannedTask, ...]


class AddedTask(PlannedTask):
    """A task that is added to a running request."""

    replaces: str = ""
    """The step that ended badly in whose place it comes: what waits for that one waits for this one."""


class Change(_Read):
    """What a look at a running request decides."""

    reason: str = ""
    add: tuple[AddedTask, ...] = ()
    drop: tuple[str, ...] = ()
    """Steps that have not begun and are needed no more."""


_Answer = TypeVar("_Answer", bound=_Read)

_STRINGS = {"type": "array", "items": {"type": "string"}}
_TASK: dict[str, Any] = {
    "step": {"type": "string", "description": "short unique name: a-z, 0-9 and '-'"},
    "title": {"type": "string", "description": "what it does, in a few words"},
    "demand": {"type": "string", "description": "what it needs, from the list of what can be asked for"},
    "text": {
        "type": "string",
        "description": "the whole instruction: who does it sees nothing else but the request",
    },
    "after": {**_STRINGS, "description": "steps whose results it needs"},
    "needs": {"type": "string", "enum": ["all", "settled"]},
    "schema": {
        "type": "string",
        "description": "JSON Schema of its result as a JSON string; empty for free text",
    },
}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


PLAN_SCHEMA: dict[str, Any] = _object(
    {"reason": {"type": "string"}, "tasks": {"type": "array", "items": _object(_TASK)}}
)
CHANGE_SCHEMA: dict[str, Any] = _object(
    {
        "reason": {"type": "string"},
        "add": {"type": "array", "items": _object({**_TASK, "replaces": {"type": "string"}})},
        "drop": _STRINGS,
    }
)


def read_plan(text: str) -> ModelPlan:
    """Read a plan; raises PlanError, in words for the model that wrote it."""
    return _read(text, ModelPlan, "plan")


def read_change(text: str) -> Change:
    """Read the change of a running request; raises PlanError."""
    return _read(text, Change, "change")


def _read(text: str, kind: type[_Answer], what: str) -> _Answer:
    if not text.strip():
        raise PlanError(f"the answer is empty: answer with the JSON object of the {what}")
    if len(text) > MAX_ANSWER:
        raise PlanError(f"the answer has {len(text):,} characters, {MAX_ANSWER:,} are read: make it shorter")
    fenced = _FENCE.search(text)
    body = fenced.group(1) if fenced is not None else text[text.find("{") : text.rfind("}") + 1]
    if not body.strip():
        raise PlanError(
            f"the answer holds no JSON object: answer with the JSON object of the {what} and nothing else"
        )
    if too_deep(body.encode("utf-8", "replace")):
        raise PlanError("the answer is nested too deep: make it flatter")
    try:
        return kind.model_validate(from_json(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlanError(f"the answer is no {what}: key {where[:200]}: {first['msg'][:300]}") from None
    except ValueError as error:
        raise PlanError(
            f"the answer is not valid JSON ({str(error)[:200]}): answer with the {what} only"
        ) from None
