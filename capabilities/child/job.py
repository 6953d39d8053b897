"""A job of a definition: its folders, what it is told, and the environment of its child."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from ...errors import FinalError
from ...swarm.records import QueuedTask
from ..definitions.read import Definition
from ..definitions.substitution import Values, fill
from ..executor import Context
from ..repository.worktree import Worktree, make_worktree
from ..tool import child_environment
from .mask import Mask, mask_for

LONGEST_VARIABLE = 96 * 2**10
"""Bytes of one variable; the kernel's own limit is 128 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt at a task, ready to run."""

    folder: Path
    """The node's own: orders, output, results."""
    work: Path
    """`${workspace}`: empty, the child's own."""
    cwd: Path
    checkout: Path | None
    """The request's repository, read-only, or the work tree made of it."""
    worktree: Worktree | None
    values: Values
    env: dict[str, str]
    mask: Mask


async def prepare(definition: Definition, task: QueuedTask, context: Context, *, repository: bool) -> Job:
    """Make the folders of a job and gather what it is told.

    `repository`: fetch the task's, if it has one. Raises FinalError for a task that lacks what the
    definition asks for.
    """
    body = definition.body
    root = (await context.workspace()).resolve()
    folder, work, home, tmp = (root / name for name in ("node", "work", "home", "tmp"))
    for place in (folder, work, home, tmp):
        await asyncio.to_thread(place.mkdir, mode=0o700)
    checkout: Path | None = None
    worktree: Worktree | None = None
    reference = task.task.repository
    if body.directory != "workspace" and reference is None:
        raise FinalError(
            f"{definition.name} works in a repository and this task has none: add --repo DIR or --repo URL"
        )
    if reference is not None and (repository or body.directory != "workspace"):
        checkout = await context.checkout(reference)
        if body.directory == "worktree":
            worktree = await make_worktree(checkout, folder, reference.place)
            checkout = worktree.tree
    values = _values(definition, task, context.attempt, work, checkout)
    file = root / "task.json"
    await asyncio.to_thread(_write, file, values)
    given = _given(definition, os.environ)
    own = {name: fill(pattern, values) for name, pattern in body.env.set.items()}
    private = {"HOME": str(home), "TMPDIR": str(tmp), "TASK_FILE": str(file)}
    return Job(
        folder=folder,
        work=work,
        cwd=work if body.directory == "workspace" or checkout is None else checkout,
        checkout=checkout,
        worktree=worktree,
        values=values,
        env=child_environment({**private, **given, **own}),
        mask=mask_for({**given, **own}),
    )


def _write(file: Path, values: Values) -> None:
    file.write_text(json.dumps(values), encoding="utf-8")


def _given(definition: Definition, environ: Mapping[str, str]) -> dict[str, str]:
    env = definition.body.env
    lacking = [name for name in env.pass_ if not environ.get(name)]
    if lacking:
        raise FinalError(f"{definition.name} needs {', '.join(lacking)}, which this node's environment lacks")
    return {name: environ[name] for name in (*env.pass_, *env.pass_if_set) if name in environ}


def _values(
    definition: Definition, task: QueuedTask, attempt: int, work: Path, checkout: Path | None
) -> dict[str, JsonValue]:
    given = task.task.input
    text = given.get("text", task.text)
    return {
        "text": text if isinstance(text, str) else json.dumps(text, ensure_ascii=False),
        "repository": str(checkout) if checkout is not None else None,
        "workspace": str(work),
        "here": str(definition.folder),
        "request": task.request,
        "task": task.id,
        "attempt": attempt,
        "input": {name: value for name, value in given.items() if name != "text"},
        "inputs": {
            step: {"summary": result.summary, "data": result.data} for step, result in task.inputs.items()
        },
    }


def limits_of(definition: Definition) -> dict[str, int | None]:
    """Return the kernel's limits for each process of the child."""
    limits = definition.body.limits
    return {
        "memory": limits.memory,
        "cpu_s": max(1, round(limits.cpu.total_seconds())) if limits.cpu is not None else None,
        "file_size": limits.file_size,
        "open_files": limits.open_files,
    }
