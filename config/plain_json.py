"""Plain JSON: what Python reads of it and the wire cannot carry is refused: NaN, 1e999, half a character."""

import json
import math
from typing import Any, NoReturn


def read_json(text: str | bytes) -> Any:
    """Return a value; raises ValueError, or RecursionError for one that is nested too deep."""
    found = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"\\u{ord(half):04x} is half a character: write both halves, or neither") from None
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number
