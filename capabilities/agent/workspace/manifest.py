"""A manifest: what lies in a workspace, as cheaply as the system tells it; blocking."""

import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...repository.junk import JUNK_FOLDERS

NOT_KEPT = JUNK_FOLDERS - {".git"}
"""Folders that tools can make again; a crash leaves nothing of them. An agent's own commits are kept."""
MOST_ENTRIES = 100_000
SETTLED_NS = 50_000_000
"""How long ago a file must have been changed for a further change to show in its times."""

Kind = Literal["file", "link", "folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, link or folder, as it was looked at."""

    kind: Kind
    mode: int
    size: int = 0
    stamp: tuple[int, int, int] = (0, 0, 0)
    """Changed, its node changed, its node: equal means unchanged, once it has settled."""
    settled: bool = True
    aim: str = ""
    digest: str = ""
    """SHA-256 of the content, where it was ever read."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All entries of a workspace by path, relative to it; folders before what is in them."""

    entries: Mapping[str, Entry]
    left_out: frozenset[str] = frozenset()
    """What is not kept, or cannot be read."""
    whole: bool = True
    """False: there is more than `MOST_ENTRIES`, and not all was looked at."""


def scan(root: Path) -> Manifest:
    """Look at everything in a folder, following no link."""
    entries: dict[str, Entry] = {}
    left_out: set[str] = set()
    waiting = [""]
    now = time.time_ns()
    for folder in waiting:
        try:
            found = _listed(os.path.join(root, folder))
        except OSError:
            left_out.add(folder)
            continue
        for name in found:
            path = f"{folder}/{name}" if folder else name
            try:
                entry = _entry(os.path.join(root, path), now)
            except OSError:
                left_out.add(path)
                continue
            if entry is None or (entry.kind == "folder" and name in NOT_KEPT):
                left_out.add(path)
                continue
            if len(entries) >= MOST_ENTRIES:
                return Manifest(entries, frozenset(left_out), whole=False)
            entries[path] = entry
            if entry.kind == "folder":
                waiting.append(path)
    return Manifest(entries, frozenset(left_out))


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except PermissionError:
        # An agent may take its own leave away; the folder is ours all the same.
        os.chmod(folder, stat.S_IRWXU, follow_symlinks=os.chmod not in os.supports_follow_symlinks)
        return sorted(os.listdir(folder))


def _entry(path: str, now: int) -> Entry | None:
    """Return what stands there; None for what is neither file, link nor folder."""
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Entry(kind="link", mode=0o777, aim=os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return Entry(kind="folder", mode=mode)
    if not stat.S_ISREG(status.st_mode):
        return None
    return Entry(
        kind="file",
        mode=mode,
        size=status.st_size,
        stamp=(status.st_mtime_ns, status.st_ctime_ns, status.st_ino),
        settled=now - status.st_ctime_ns > SETTLED_NS,
    )
