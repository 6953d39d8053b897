"""From what a command printed to the data and summary of its result. Pure."""

from collections.abc import Mapping

from pydantic import JsonValue

from ...config.plain_json import read_json
from ...errors import FinalError
from ...swarm.nesting import DEEPEST, too_deep
from ..definitions.schema import CommandDefinition
from ..definitions.sizes import format_size
from ..definitions.substitution import Pattern, Values, fill

SUMMARY = 300
"""Characters of a summary."""


def read_data(body: CommandDefinition, name: str, data: bytes, shown: bytes) -> JsonValue:
    """Return the data of a result: `data` is all that was printed, `shown` what a result may carry.

    Raises FinalError for output that is not what `result` says.
    """
    if body.result == "json":
        return _inside(_json(name, data), body.result_path, name)
    # As a shell's $(…) has it: what builds on it wants the word, not the line's end.
    text = as_text(shown).rstrip("\r\n")
    if body.result == "lines":
        return list(text.splitlines())
    return text


def as_text(data: bytes) -> str:
    """Return bytes as text; what is no UTF-8 is replaced."""
    return data.decode("utf-8", "replace")


def is_text(data: bytes) -> bool:
    """Return whether bytes are text: UTF-8 without NUL."""
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _json(name: str, data: bytes) -> JsonValue:
    if too_deep(data):
        raise FinalError(f"{name}: its output is nested too deep, over {DEEPEST} levels: print less of it")
    try:
        read: JsonValue = read_json(data)
    except (ValueError, RecursionError) as error:
        begins = as_text(data[:80]).strip()
        what = f"it begins with {begins!r}" if begins else "it printed nothing"
        why = f", {error}" if isinstance(error, ValueError) and begins else ""
        raise FinalError(f"{name}: its output is not JSON ({what}{why})") from None
    return read


def _inside(value: JsonValue, path: str | None, name: str) -> JsonValue:
    way = path.split(".") if path else []
    for number, key in enumerate(way):
        found: JsonValue
        if isinstance(value, dict) and key in value:
            found = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            found = value[int(key)]
        else:
            there = ", ".join(sorted(map(str, value)))[:200] if isinstance(value, dict) else ""
            have = f"there is: {there}" if there else f"there stands a {_kind(value)}"
            raise FinalError(f"{name}: its JSON has no {'.'.join(way[: number + 1])} ({have})")
        value = found
    return value


def _kind(value: JsonValue) -> str:
    if isinstance(value, list):
        return f"list of {len(value)}"
    return {dict: "mapping without keys", str: "text", bool: "yes or no", type(None): "null"}.get(
        type(value), "number"
    )


def make_summary(
    body: CommandDefinition, values: Values, data: JsonValue, size: int, end: Mapping[str, JsonValue]
) -> str:
    """Return one line for people: the template's, else the output itself if it is one line."""
    if body.summary is not None:
        return filled_summary(body.summary, values, data, end)
    if isinstance(data, str):
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) == 1:
            return one_line(lines[0])
    return f"exit code {end['exit_code']}, {format_size(size)} of output" if size else "no output"


def filled_summary(summary: Pattern, values: Values, data: JsonValue, end: Mapping[str, JsonValue]) -> str:
    """Return a template's summary; one that cannot be filled says so, as the work itself is done."""
    output = one_line(data) if isinstance(data, str) else ""
    try:
        return one_line(fill(summary, {**values, **end, "result": data, "output": output}))
    except FinalError as error:
        return one_line(f"done, but for its summary: {error}")


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SUMMARY else line[: SUMMARY - 1] + "…"
