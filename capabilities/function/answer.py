"""From the file that a function's process wrote to a result, or to the error that says what happened. Pure."""

import json
from datetime import timedelta

from pydantic import JsonValue

from ...config.plain_json import read_json
from ...errors import FinalError, RetryableError
from ...swarm.nesting import DEEPEST, too_deep

ANSWER = "answer.json"
LONGEST_DELAY = timedelta(days=1)


def read_answer(name: str, data: bytes) -> JsonValue:
    """Return what the function returned. Raises FinalError or RetryableError, as it ended."""
    if too_deep(data):
        raise FinalError(f"{name}: what it returned is nested too deep, over {DEEPEST} levels")
    try:
        answer = read_json(data)
    except (ValueError, RecursionError) as error:
        raise FinalError(f"{name}: what it returned is no JSON that can travel: {error}") from None
    if not isinstance(answer, dict) or not answer.keys() & {"refused", "raised", "value"}:
        raise FinalError(f"{name}: the file of its answer was overwritten: leave {ANSWER} alone")
    if "refused" in answer:
        raise FinalError(f"{name}: {answer['refused']}")
    if "raised" in answer:
        why = f"{name} raised {answer['raised']}{answer.get('traceback', '')}"
        if not answer.get("retry"):
            raise FinalError(why)
        delay = answer.get("delay_s")
        raise RetryableError(
            why, delay=min(timedelta(seconds=delay), LONGEST_DELAY) if delay is not None else None
        )
    value: JsonValue = answer["value"]
    return value


def summary_of(value: JsonValue) -> str:
    """Return one line for people."""
    if value is None:
        return "done"
    if isinstance(value, str):
        lines = [line for line in value.splitlines() if line.strip()]
        return " ".join(lines[0].split())[:300] if len(lines) == 1 else f"{len(lines)} lines"
    if isinstance(value, list):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, dict):
        keys = ", ".join(value)
        return f"{len(value)} keys: {keys}"[:300] if len(value) != 1 else f"1 key: {keys}"[:300]
    return json.dumps(value)[:300]
