"""Tools that are programs of this machine: found on the PATH, called once or more, read as one."""

import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..repository.junk import is_junk_folder
from ..tool import ToolOutput
from .analyzer import Order, ToolBroken
from .running import INSIDE, read_json
from .survey import SourceFile, Survey

VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")
CHUNK = 400
"""Files named on one command line."""


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a program."""

    argv: tuple[str, ...]
    cwd: Path
    about: str = ""
    """What of the repository it is about, for its reader."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one call ended."""

    about: str
    returncode: int
    stdout: str
    stderr: str
    skipped: str = ""
    """Why it was not made, in words; empty when it was."""


def program(name: str) -> str:
    """Return the absolute path of a program on the PATH, or an empty string."""
    found = shutil.which(name)
    return os.path.abspath(found) if found else ""


def lacks_program(*names: str) -> str:
    """Return `go is not on the PATH` for the first program that is not there, else an empty string."""
    return next((f"{name} is not on the PATH" for name in names if not program(name)), "")


def order_calls(
    version: Sequence[str],
    calls: Sequence[Call],
    folder: Path,
    env: Mapping[str, str] | None = None,
    script: str = "run_each.py",
    **more: object,
) -> Order:
    """Return the order for these calls, one after the other; `version` is the call that tells the version."""
    listed = folder / "calls.json"
    runs = [{"argv": call.argv, "cwd": str(call.cwd), "about": call.about} for call in calls]
    listed.write_text(json.dumps({"version": list(version), "runs": runs, **more}), encoding="utf-8")
    return Order(script=INSIDE / script, argv=(str(listed),), env=env or {})


def read_calls(output: ToolOutput) -> tuple[str, list[Ran]]:
    """Return the tool's version and how each call ended; raises ToolBroken for a flood or a signal."""
    answer: Any = read_json(output, 0)
    ran = []
    for run in answer["runs"]:
        if run.get("flood"):
            raise ToolBroken("it printed more than 48 MB")
        if run["returncode"] < 0:
            raise ToolBroken(f"ended by signal {-run['returncode']}")
        ran.append(Ran(run["about"], run["returncode"], run["stdout"], run["stderr"], run.get("skipped", "")))
    found = VERSION.search(answer["version"])
    return found[0] if found else "", ran


def last_line(text: str) -> str:
    """Return the last line that says something, at most 300 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def chunks(items: Sequence[str], size: int = CHUNK) -> list[tuple[str, ...]]:
    """Return the items in groups that fit a command line."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]


def link_files(seen: Survey, files: Sequence[SourceFile], folder: Path) -> None:
    """Show a tool some files of the repository under a writable folder, each as a link to the real one.

    What was not named is not there: no settings, no modules, nothing that the tool could load.
    """
    for file in files:
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(seen.root / file.path)


def link_all(seen: Survey, folder: Path, hide: Callable[[str], bool]) -> None:
    """Show a tool every plain file of the repository, those that are no text too, but what `hide` names."""
    for here, names, files in os.walk(seen.root, followlinks=False):
        names[:] = [name for name in names if not is_junk_folder(name)]
        for name in files:
            full = Path(here, name)
            path = full.relative_to(seen.root)
            if hide(path.as_posix()) or not stat.S_ISREG(full.lstat().st_mode):
                continue
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(full)


def refused(run: Ran) -> ToolBroken:
    """Return the error for a call that did not do its work, with the tool's own last words."""
    return ToolBroken(f"exit code {run.returncode}: {last_line(run.stderr)}")


def read_said(run: Ran) -> object:
    """Return the JSON that one call printed; raises ToolBroken when it is none."""
    try:
        return json.loads(run.stdout)
    except (ValueError, RecursionError):
        raise ToolBroken("its output is not JSON") from None
