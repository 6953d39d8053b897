"""Answers: whether what a model says is what the task asked for. Pure."""

import json
import re
from typing import Any

import jsonschema
from pydantic import JsonValue
from referencing.exceptions import Unresolvable

from ..bounded_schema import TooMuchWork, bounded


def data_of(text: str) -> JsonValue:
    """Return the JSON of an answer, with or without a fence of Markdown around it; raises ValueError."""
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.partition("\n")[2].rpartition("```")[0]
    try:
        found: JsonValue = json.loads(stripped)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return found


def problem_with(text: str, schema: dict[str, Any] | None) -> str:
    """Return in words why a text does not meet a schema; empty: it does, or none is asked for."""
    if schema is None:
        return ""
    try:
        data = data_of(text)
    except ValueError as error:
        return f"it is not JSON ({error})"
    return mismatch(data, schema)


def mismatch(data: JsonValue, schema: dict[str, Any]) -> str:
    """Return in one line where data does not meet a JSON Schema; empty: it does.

    A schema that is wrong itself is said too.
    """
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
        error = jsonschema.exceptions.best_match(bounded(schema).iter_errors(data))
    except (jsonschema.exceptions.SchemaError, Unresolvable, re.error) as wrong:
        return f"the schema itself cannot be used: {str(wrong).splitlines()[0][:200]}"
    except TooMuchWork:
        return "the schema itself cannot be used: it unfolds to too much to be checked"
    except RecursionError:
        return "it is nested too deep"
    if error is None:
        return ""
    where = error.json_path.removeprefix("$").removeprefix(".")
    said = " ".join(error.message.split())[:300]
    return f"{where}: {said}" if where else said
