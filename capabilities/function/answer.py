"""From the file that a function's process wrote to a result, or to the error that says what happened. Pure."""

import json
from datetime import timedelta

from pydantic import JsonValue

from ...errors import FinalError, RetryableError
from ...swarm.nesting import DEEPEST, too_deep

LONGEST_DELAY = timedelta(days=1)


def read_answer(name: str, data: bytes) -> JsonValue:
    """Return what the function returned. Raises FinalError or RetryableError, as it ended."""
    if too_deep(data):
        raise FinalError(f"{name}: what it returned is nested too deep, over {DEEPEST} levels")
    answer = json.loads(data)
    if "refused" in answer:
        raise FinalError(f"{name}: {answer['refused']}")
    if "raised" in answer:
        why = f"{name} raised {answer['raised']}{answer['traceback']}"
        if not answer["retry"]:
            raise FinalError(why)
        delay = answer["delay_s"]
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
