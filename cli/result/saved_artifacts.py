"""Artifacts of a request or task, fetched into a folder: each task's in a folder of its step."""

import asyncio
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..printing.output import echo, safe

if TYPE_CHECKING:
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
    from ...gateway.results import read_result
    from ...swarm.resolve import Found

    saved: set[Path] = set()
    for step in found.state.heads if found.step is None else (found.step,):
        _, _, brought = await read_result(swarm, Found(found.state, step))
        place = folder / step if found.step is None else folder
        for ref in brought.artifacts if brought is not None else ():
            file = place / safe_place(ref)
            if file in saved:
                file = file.with_name(f"{ref.digest[:8]}-{file.name}")
            await _fetch(swarm, ref, file)
            saved.add(file)
            echo(f"saved {safe(str(file))}", err=True)
    if not saved:
        echo(f"{found.id} has no artifacts", err=True)


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
