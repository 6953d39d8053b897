"""Call one function of the user's in this process and write down what became of it.

`python -I -X utf8 call.py ORDER.json`, as a child of the node. It imports nothing of PicoClaw: whatever the
function's module does to this process, the node only reads the file with the answer.
"""

import asyncio
import importlib
import inspect
import json
import math
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

PROGRESS = 3
TRACEBACK = 1500
"""Characters of the traceback's end that go along with an error."""


class Refused(Exception):
    """What the definition or the task lacks, in words; trying again cannot help."""


def main() -> None:
    """Carry out the order and leave at once, whatever threads the function has left."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    own = os.getpid()
    try:
        answer = {"value": serialised(value_of(order))}
    except Refused as error:
        answer = {"refused": str(error)}
    except SystemExit as end:
        answer = {"refused": f"it called exit({end.code!r}) instead of returning"}
    except BaseException as error:  # noqa: BLE001 - the function's own, whatever it is
        answer = failure(error)
    if os.getpid() != own:
        os._exit(0)  # a process that the function forked came out of it too: the answer is the first one's
    _flush()
    part = Path(f"{order['answer']}.{own}.part")
    part.write_text(json.dumps(answer, separators=(",", ":")), encoding="utf-8")
    os.replace(part, order["answer"])
    os._exit(0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed or replaced by the function: its words are lost, its answer is not


# --- calling it ---


def value_of(order: dict[str, Any]) -> Any:
    """Import the function, call it with what it asks for, and return what it returns."""
    function = find(order["function"], order["here"])
    values = order["values"]
    keywords = arguments(function, values)
    os.chdir(order["cwd"])
    value = function(*keywords[0], **keywords[1])
    if inspect.isawaitable(value):
        value = asyncio.run(_awaited(value))
    return value


async def _awaited(value: Any) -> Any:
    return await value


def find(function: str, here: str) -> Callable[..., Any]:
    """Return the callable `module:name`, its module beside the definition or installed."""
    module, _, names = function.partition(":")
    # A folder that appears beside the definitions would look like a change of them.
    sys.dont_write_bytecode = True
    sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise Refused(f"{module} cannot be imported: {one_line(error)}{tail(error)}") from error
    for name in names.split("."):
        if not hasattr(found, name):
            raise Refused(f"{module} has no {names}: correct the definition or the module")
        found = getattr(found, name)
    if not callable(found):
        raise Refused(f"{function} is a {type(found).__name__} and cannot be called")
    return found  # type: ignore[no-any-return]


def arguments(function: Callable[..., Any], values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return what the function's signature asks for, by name, from what the task brings."""
    known = known_arguments(values)
    given = {**values["input"], **known}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return [known["text"]], {}
    positional: list[Any] = []
    named: dict[str, Any] = {}
    lacking: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            taken = {other.name for other in parameters}
            named |= {name: value for name, value in values["input"].items() if name not in taken}
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.name in given:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(given[parameter.name])
            else:
                named[parameter.name] = given[parameter.name]
        elif parameter.default is parameter.empty:
            lacking.append(parameter.name)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(parameter.default)
    if lacking:
        there = ", ".join(sorted(given))
        raise Refused(f"it needs {', '.join(lacking)}, which the task does not bring (there is: {there})")
    return positional, named


def known_arguments(values: dict[str, Any]) -> dict[str, Any]:
    """Return what every task brings, by the parameter that gets it."""
    repository = values["repository"]
    return {
        "text": values["text"],
        "input": values["input"],
        "inputs": values["inputs"],
        "repository": Path(repository) if repository is not None else None,
        "workspace": Path(values["workspace"]),
        "progress": tell_progress,
    }


def tell_progress(message: str = "", fraction: float | None = None) -> None:
    """Tell whoever watches how far the function is; `fraction` from 0 to 1."""
    line = json.dumps({"message": str(message), "fraction": fraction}) + "\n"
    try:
        os.write(PROGRESS, line.encode())
    except OSError:
        return  # closed by the function: progress decides nothing


# --- what became of it ---


def serialised(value: Any) -> Any:
    """Return the value as JSON has it. Raises Refused for one that has no JSON form."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except TypeError as error:
        raise Refused(f"what it returned ({_kind(value)}) has no JSON form: {error}") from error
    except ValueError as error:
        raise Refused(f"what it returned ({_kind(value)}) has no JSON form: {error}") from error
    except RecursionError as error:
        raise Refused(f"what it returned ({_kind(value)}) is nested too deep for JSON") from error


def _kind(value: Any) -> str:
    return type(value).__qualname__


def failure(error: BaseException) -> dict[str, Any]:
    """Say what was raised, and whether another attempt may help.

    An attribute `retry` of the exception decides; else ValueError and TypeError themselves mean that the input
    is wrong, and anything else, their subclasses too, may go away.
    """
    retry = _attribute(error, "retry")
    if retry is None:
        final = type(error) in (ValueError, TypeError) or type(error).__name__ == "FinalError"
        retry = not final
    delay = _attribute(error, "delay")
    if isinstance(delay, timedelta):
        delay = delay.total_seconds()
    return {
        "raised": one_line(error),
        "traceback": tail(error),
        "retry": retry is True or retry == 1,
        "delay_s": float(delay) if isinstance(delay, int | float) and 0 <= delay < math.inf else None,
    }


def _attribute(error: BaseException, name: str) -> Any:
    """Return what the exception says of itself; None where it says nothing plain, or fails to."""
    try:
        said = getattr(error, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's
        return None
    return said if isinstance(said, bool | int | float | timedelta) else None


def one_line(error: BaseException) -> str:
    """Return the exception's type and message."""
    try:
        message = " ".join(str(error).split())[:500]
    except Exception as worse:  # noqa: BLE001 - a __str__ of the user's
        message = f"(its message cannot be read: {type(worse).__name__})"
    name = type(error).__qualname__
    said = f"{name}: {message}" if message else name
    return said.encode("utf-8", "replace").decode()


def tail(error: BaseException) -> str:
    """Return the end of the traceback, from the user's own code on, in one line."""
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    # A recursion has a thousand times the same.
    frames = [frame for frame, before in zip(frames, [None, *frames], strict=False) if frame != before]
    return (" (" + " > ".join(frames)[-TRACEBACK:] + ")") if frames else ""


if __name__ == "__main__":
    main()
