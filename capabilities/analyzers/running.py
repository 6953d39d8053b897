"""Running one analyzer: in a child process, in time, and never silently."""

import asyncio
import importlib.util
import json
import os
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from ..findings import Finding, ToolRun
from ..tool import ToolAbsent, ToolFlooded, ToolOutput, ToolTimedOut, python_argv, run_tool
from .analyzer import Analyzer, OnPath, Order, Reading, Target, ToolBroken, ToolNotRun, lacks
from .survey import SourceFile

INSIDE = Path(__file__).parent / "inside"
LAUNCH = INSIDE / "launch.py"

MEMORY = 6 * 2**30
"""Bytes of address space for one tool."""
FILE_SIZE = 256 * 2**20
"""Bytes of the largest file that a tool may write."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one analyzer's run ended, and what it saw."""

    run: ToolRun
    reading: Reading = field(default_factory=Reading)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.reading.findings


def installed(module: str) -> bool:
    """Return whether a tool's module can be found; imports nothing of it."""
    return not module or importlib.util.find_spec(module) is not None


def version_of(distribution: str) -> str:
    """Return a package's version, or an empty string."""
    try:
        return metadata.version(distribution) if distribution else ""
    except metadata.PackageNotFoundError:
        return ""


async def run_analyzer(analyzer: Analyzer, target: Target) -> Outcome:
    """Run one analyzer; whatever becomes of it stands in the ToolRun."""
    run = ToolRun(tool=analyzer.name, status="ok", version=version_of(analyzer.distribution))
    if not installed(analyzer.module):
        return Outcome(
            run.model_copy(
                update={
                    "status": "not installed",
                    "version": "",
                    "detail": "install picoclaw-swarm[review] on the node",
                }
            )
        )
    files = analyzer.files(target)
    if not files:
        return Outcome(run.model_copy(update={"status": "nothing to do"}))
    run = run.model_copy(update={"files": len(files)})
    if isinstance(analyzer, OnPath):
        run = run.model_copy(update={"languages": tuple(sorted(analyzer.understands))})
        if missing := lacks(analyzer):
            return _ended(run, "not installed", missing)
    folder = target.workspace / analyzer.name.replace(" ", "-")
    try:
        # In threads: a large repository's lists and answers take long enough to delay a heartbeat.
        order = await asyncio.to_thread(_prepare, analyzer, target, files, folder)
        output = await _run(order, folder, target.timeout)
        reading = await asyncio.to_thread(analyzer.read, output, target)
    except ToolTimedOut:
        return _ended(run, "timed out", f"ended after {target.timeout.total_seconds():.0f} s")
    except ToolNotRun as reason:
        return _ended(run, "not asked", str(reason))
    except (ToolBroken, ToolAbsent, ToolFlooded) as error:
        # A tool's last words may name where the repository lies on this machine.
        return _ended(run, "failed", str(error).replace(f"{target.survey.root}/", ""))
    except OSError as error:
        return _ended(run, "failed", f"the node could not run it: {error.strerror or error}")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        why = f"its output has a form that this version does not know ({type(error).__name__}: {error})"
        return _ended(run, "failed", " ".join(why.split())[:300])
    done = {"seconds": round(output.seconds, 3), "findings": len(reading.findings), "detail": reading.detail}
    if reading.version:
        done["version"] = reading.version
    return Outcome(run.model_copy(update=done), reading)


def _prepare(analyzer: Analyzer, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
    folder.mkdir()
    return analyzer.order(target, files, folder)


def _ended(run: ToolRun, status: str, detail: str) -> Outcome:
    return Outcome(run.model_copy(update={"status": status, "detail": detail}))


async def _run(order: Order, folder: Path, timeout: timedelta) -> ToolOutput:
    command = folder / "order.json"
    command.write_text(
        json.dumps(
            {
                "module": order.module,
                "script": str(order.script) if order.script else "",
                "argv": order.argv,
                "parent": os.getpid(),
                # A tool with threads uses CPU seconds faster than the clock runs.
                "cpu_s": int(timeout.total_seconds() * max(2, os.cpu_count() or 1)) + 1,
                "memory": MEMORY,
                "file_size": FILE_SIZE,
            }
        ),
        encoding="utf-8",
    )
    home = {"HOME": str(folder), "TMPDIR": str(folder), "XDG_CONFIG_HOME": str(folder), "NO_COLOR": "1"}
    return await run_tool(
        python_argv(LAUNCH, str(command)), cwd=folder, timeout=timeout, env={**home, **order.env}
    )


def broken(output: ToolOutput, what: str = "") -> ToolBroken:
    """Return the error for a run that did not do its work, with the tool's own last words."""
    said = output.last_words or what or "it said nothing"
    if output.returncode < 0:
        return ToolBroken(f"ended by signal {-output.returncode}: {said}")
    return ToolBroken(f"exit code {output.returncode}: {said}")


def read_json(output: ToolOutput, *ok: int) -> object:
    """Return the JSON that a tool printed; raises ToolBroken for another exit code or other words."""
    if output.returncode not in ok:
        raise broken(output)
    try:
        return json.loads(output.stdout)
    except (ValueError, RecursionError):
        raise broken(output, "its output is not JSON") from None
