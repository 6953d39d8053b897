"""What a reviewing model answers: its schema, and how it is read. Pure."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from ...findings import SEVERITIES, Kind, Severity

MOST_EXPLAINED = 30
MOST_SEEN = 20
"""Problems of its own that one review takes from a model."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ExplainedId(_Read):
    """A finding of an analyzer that matters, and why."""

    id: str
    why: str


class Seen(_Read):
    """A problem that the model saw itself, in a place that can be looked up."""

    path: str
    line: int
    quote: str
    """The text of that line."""
    severity: Severity
    kind: Kind
    message: str


class ModelAnswer(_Read):
    """The whole answer."""

    summary: str = ""
    explained: tuple[ExplainedId, ...] = ()
    """The most important first."""
    seen: tuple[Seen, ...] = ()


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = _object(
    {
        "summary": {**_TEXT, "description": "the verdict, in two or three sentences"},
        "explained": {
            "type": "array",
            "description": "findings of the list that matter, the most important first",
            "items": _object({"id": {**_TEXT, "description": "as in the list, such as F3"}, "why": _TEXT}),
        },
        "seen": {
            "type": "array",
            "description": "problems that no tool found, in code that you have read",
            "items": _object(
                {
                    "path": _TEXT,
                    "line": {"type": "integer"},
                    "quote": {**_TEXT, "description": "the text of that line, word for word"},
                    "severity": {"type": "string", "enum": list(SEVERITIES)},
                    "kind": {"type": "string", "enum": list(get_args(Kind))},
                    "message": _TEXT,
                }
            ),
        },
    }
)


def read_answer(data: JsonValue) -> ModelAnswer | None:
    """Return the answer; None for what is none."""
    try:
        return ModelAnswer.model_validate(data)
    except ValidationError:
        return None
