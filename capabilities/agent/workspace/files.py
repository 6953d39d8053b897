"""What an agent without a repository hands in: the files that it left in its folder."""

import asyncio
import mimetypes
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ....swarm.records import ArtifactRef
from ...definitions.sizes import format_size
from ...executor import Context
from ...repository.checkout import to_its_end
from .manifest import scan

SINGLY = 20
"""Files that are handed in each by itself; more come as one archive."""
LARGEST = 256 * 2**20
"""Bytes of all of them; the largest beyond it stay behind."""
NAMED = 5
"""Of those that stay behind."""
ARCHIVE = "workspace.tar.gz"


@dataclass(frozen=True, slots=True)
class HandedIn:
    """The files of a folder."""

    artifacts: tuple[ArtifactRef, ...] = ()
    left_behind: str = ""
    """What was too large, in words; empty: nothing."""


async def hand_in_files(root: Path, node: Path, context: Context) -> HandedIn:
    """Store the files of a folder, links and what tools leave behind left out; nothing where there are none."""
    files, over = await asyncio.to_thread(_files, root)
    artifacts = await _stored(root, files, node, context)
    return HandedIn(artifacts, _words(over))


async def _stored(root: Path, files: list[str], node: Path, context: Context) -> tuple[ArtifactRef, ...]:
    if not files:
        return ()
    if len(files) > SINGLY:
        archive = node / ARCHIVE
        await to_its_end(_pack, root, files, archive)
        stored = await context.artifacts.put_file(archive, media_type="application/gzip", filename=ARCHIVE)
        return (stored,)
    kept = []
    for path in files:
        media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        stored = await context.artifacts.put_file(root / path, media_type=media_type, filename=_name(path))
        kept.append(stored)
    return tuple(kept)


def _words(over: list[tuple[str, int]]) -> str:
    if not over:
        return ""
    named = ", ".join(f"{_name(path)} ({format_size(size)})" for path, size in over[:NAMED])
    more = f" and {len(over) - NAMED} more" if len(over) > NAMED else ""
    return f"of its files, which may have {format_size(LARGEST)} together, {named}{more} are not handed in"


def _name(path: str) -> str:
    # A name that is no UTF-8 would be refused with the whole result.
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _files(root: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the files that are handed in, the smallest first, and those beyond the limit with their sizes."""
    found: list[str] = []
    over: list[tuple[str, int]] = []
    total = 0
    entries = scan(root).entries
    for path, entry in sorted(entries.items(), key=lambda one: one[1].size):
        if entry.kind != "file" or ".git" in path.split("/") or not os.access(root / path, os.R_OK):
            continue
        total += entry.size
        if total > LARGEST:
            over.append((path, entry.size))
        else:
            found.append(path)
    return sorted(found), over


def _pack(root: Path, files: list[str], archive: Path) -> None:
    with tarfile.open(archive, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=3) as tar:
        for path in files:
            tar.add(root / path, arcname=path, recursive=False, filter=_nobody)


def _nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
