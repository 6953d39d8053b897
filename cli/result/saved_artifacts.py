"""Artifacts of a request or task, fetched into a folder: each task's in a folder of its step."""

import asyncio
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..printing.output import echo, safe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ...swarm.records import ArtifactRef
    from ...swarm.resolve import Found
    from ...swarm.swarm import Swarm


def check_target(folder: Path) -> None:
    """Raise UsageError for a folder that artifacts cannot be put into, before anything is fetched."""
    try:
        is_there, parent_is_there = folder.exists(), folder.absolute().parent.is_dir()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"--artifacts {folder} cannot be used ({why}): name another folder") from None
    if is_there and not folder.is_dir():
        raise UsageError(f"--artifacts {folder} is no folder: name one, it is made if need be")
    if not is_there and not parent_is_there:
        raise UsageError(f"--artifacts {folder}: its parent does not exist: make it first")


async def save_artifacts(swarm: "Swarm", found: "Found", folder: Path) -> None:
    """Fetch what a request's tasks, or one task, left as artifacts, and say where it lies.

    A file that is there is written over. Raises UsageError where it cannot be written, SwarmError for an
    artifact that is gone.
    """
    left = await artifacts_of(swarm, found)
    async for file in fetch_artifacts(swarm, left, folder):
        echo(f"saved {safe(str(file))}", err=True)
    if not left:
        echo(f"{found.id} has no artifacts", err=True)


async def artifacts_of(swarm: "Swarm", found: "Found") -> "list[tuple[Path, ArtifactRef]]":
    """Return what a request's tasks, or one task, left, each with the place that it may have in a folder."""
    from ...gateway.results import read_result
    from ...swarm.resolve import Found

    left: dict[Path, ArtifactRef] = {}
    for step in found.state.heads if found.step is None else (found.step,):
        _, _, brought = await read_result(swarm, Found(found.state, step))
        for ref in brought.artifacts if brought is not None else ():
            place = safe_place(ref) if found.step is not None else step / safe_place(ref)
            if place in left:
                place = place.with_name(f"{ref.digest[:8]}-{place.name}")
            left[place] = ref
    return list(left.items())


async def fetch_artifacts(
    swarm: "Swarm", left: "Iterable[tuple[Path, ArtifactRef]]", folder: Path
) -> "AsyncIterator[Path]":
    """Fetch artifacts into a folder and yield each file; raises as `save_artifacts` does."""
    for place, ref in left:
        await _fetch(swarm, ref, folder / place)
        yield folder / place


async def _fetch(swarm: "Swarm", ref: "ArtifactRef", file: Path) -> None:
    part = file.with_name(f".{file.name[:200]}.part")
    try:
        await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
        await swarm.artifacts.get_file(ref, part)
        await asyncio.to_thread(part.replace, file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written ({error.strerror}): name another folder") from None


def safe_place(ref: "ArtifactRef") -> Path:
    """Return where an artifact may lie below the folder: its name comes from a stranger."""
    parts = [
        "".join(c if c.isprintable() and c not in "\\:" else "_" for c in part)[:150]
        for part in PurePosixPath(ref.filename or "").parts
        if part not in ("/", ".", "..")
    ]
    return Path(*parts) if parts else Path(ref.digest[:16] or "artifact")
