"""Variables of a script: what a task brings, as `TASK_…`, since no text of it may get into the script. Pure."""

import os
import re

from ...errors import FinalError
from ..child.job import LONGEST_VARIABLE
from ..definitions.substitution import Values, in_text

_OTHER = re.compile(r"[^A-Z0-9_]")


def script_variables(script: str, values: Values) -> dict[str, str]:
    """Return `TASK_TEXT`, `TASK_REPOSITORY`, `TASK_INPUT_NAME`, `TASK_INPUTS_STEP` and so on.

    A value that is too large for a variable is left out where the script does not name it. Raises
    FinalError where it does, for one that no variable can hold, and for two inputs of one name.
    """
    found: dict[str, str] = {}
    for name in ("text", "repository", "workspace", "here", "request", "task", "attempt"):
        value = values.get(name)
        found[_name(name if name != "task" else "id")] = "" if value is None else in_text(value)
    for kind, prefix in (("input", "input_"), ("inputs", "inputs_")):
        given = values.get(kind)
        for key, value in (given if isinstance(given, dict) else {}).items():
            name = _name(prefix + str(key))
            if name in found:
                raise FinalError(f"two inputs of this task would both be {name}: rename one")
            if isinstance(value, dict) and kind == "inputs":
                value = value.get("data") if value.get("data") is not None else value.get("summary")
            found[name] = "" if value is None else in_text(value)
    return {name: value for name, value in found.items() if _fits(name, value, script)}


def _name(text: str) -> str:
    return "TASK_" + _OTHER.sub("_", text.upper())


def _fits(name: str, value: str, script: str) -> bool:
    named = re.search(rf"\b{name}\b", script) is not None
    try:
        size = len(os.fsencode(value))
    except UnicodeEncodeError:
        size = -1
    if 0 <= size <= LONGEST_VARIABLE and "\0" not in value:
        return True
    if named:
        why = f"has {size:,} bytes" if size > LONGEST_VARIABLE else "holds a character that no variable can"
        raise FinalError(f"{name} {why}: take it by stdin:, or read it from the file $TASK_FILE")
    return False
