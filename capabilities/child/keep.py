"""Files that a child leaves and that stay with its result: long output, a patch, what the definition names."""

import asyncio
import errno
import mimetypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ...errors import FinalError
from ...swarm.records import ArtifactRef
from ..definitions.sizes import format_size
from ..executor import Context
from ..repository.worktree import changes
from .job import Job

MOST_FILES = 100
LARGEST = 256 * 2**20
"""Bytes of all files that one result keeps."""


async def keep_change(job: Job, context: Context) -> tuple[ArtifactRef, int] | None:
    """Store what was changed in the work tree as a patch; return it with the number of files."""
    change = await changes(job.worktree) if job.worktree is not None else None
    if change is None:
        return None
    await asyncio.to_thread(_mask_file, job, change.patch)
    ref = await context.artifacts.put_file(change.patch, media_type="text/x-diff", filename="changes.patch")
    return ref, change.files


async def keep_output(data: bytes, text: bool, context: Context) -> ArtifactRef:
    """Store all that was printed."""
    if text:
        return await context.artifacts.put(data, media_type="text/plain", filename="stdout.txt")
    return await context.artifacts.put(data, media_type="application/octet-stream", filename="stdout.bin")


async def keep_files(job: Job, patterns: Iterable[str], context: Context) -> tuple[ArtifactRef, ...]:
    """Store the files of the working directory that the patterns name. Raises FinalError for too many."""
    files = await asyncio.to_thread(_matching, job.cwd, tuple(patterns))
    kept = []
    for file in files:
        await asyncio.to_thread(_mask_file, job, file)
        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        # A name that is no UTF-8 would be refused with the whole result.
        name = os.fsencode(file.relative_to(job.cwd.resolve())).decode("utf-8", "backslashreplace")
        kept.append(await context.artifacts.put_file(file, media_type=media_type, filename=name))
    return tuple(kept)


def mask_folder(job: Job) -> None:
    """Take the job's secrets out of every file of its working directory; blocking."""
    if not job.mask.secrets:
        return
    for folder, _, names in os.walk(job.cwd):
        for name in names:
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink() and os.access(file, os.R_OK):
                _mask_file(job, file)


def _matching(cwd: Path, patterns: tuple[str, ...]) -> list[Path]:
    root = cwd.resolve()
    found: dict[Path, int] = {}
    for pattern in patterns:
        for file in _named(root, pattern):
            try:
                status = file.lstat()
            except OSError:
                continue  # it lies where nobody may look, or has gone
            # A link, or a file behind one, may be any file of the node.
            if stat.S_ISREG(status.st_mode) and file.resolve() == file:
                found[file] = status.st_size
            if len(found) > MOST_FILES:
                raise FinalError(
                    f"artifacts: over {MOST_FILES} files match {pattern}: name fewer, or pack them"
                )
    if sum(found.values()) > LARGEST:
        raise FinalError(f"artifacts: the files have over {format_size(LARGEST)}: name fewer, or pack them")
    return list(found)


def _named(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except (OSError, RecursionError) as error:
        why = "folders are nested too deep" if _too_deep(error) else str(getattr(error, "strerror", error))
        raise FinalError(
            f"artifacts: {pattern} cannot be looked for ({why}): name the folder of the files"
        ) from None


def _too_deep(error: Exception) -> bool:
    return isinstance(error, RecursionError) or getattr(error, "errno", None) == errno.ENAMETOOLONG


def _mask_file(job: Job, file: Path) -> None:
    if not job.mask.secrets:
        return
    data = file.read_bytes()
    masked = job.mask.data(data)
    if masked != data:
        unmasked = file.with_name(f".{file.name}.masked")
        unmasked.write_bytes(masked)
        os.replace(unmasked, file)
