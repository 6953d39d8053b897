"""What an agent without a repository hands in: the files that it left in its folder."""

import asyncio
import mimetypes
import os
import tarfile
from pathlib import Path

from ....swarm.records import ArtifactRef
from ...executor import Context
from ...repository.checkout import to_its_end
from .manifest import Entry, scan

SINGLY = 20
"""Files that are handed in each by itself; more come as one archive."""
LARGEST = 256 * 2**20
"""Bytes of all of them; the largest beyond it stay behind."""
ARCHIVE = "workspace.tar.gz"


async def hand_in_files(root: Path, node: Path, context: Context) -> tuple[ArtifactRef, ...]:
    """Store the files of a folder, links and what tools leave behind left out; nothing where there are none."""
    files = await asyncio.to_thread(_files, root)
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
        # A name that is no UTF-8 would be refused with the whole result.
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        kept.append(await context.artifacts.put_file(root / path, media_type=media_type, filename=name))
    return tuple(kept)


def _files(root: Path) -> list[str]:
    found: dict[str, Entry] = {}
    total = 0
    entries = scan(root).entries
    for path, entry in sorted(entries.items(), key=lambda one: one[1].size):
        if entry.kind != "file" or ".git" in path.split("/") or not os.access(root / path, os.R_OK):
            continue
        total += entry.size
        if total > LARGEST:
            break
        found[path] = entry
    return sorted(found)


def _pack(root: Path, files: list[str], archive: Path) -> None:
    with tarfile.open(archive, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=3) as tar:
        for path in files:
            tar.add(root / path, arcname=path, recursive=False, filter=_nobody)


def _nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
