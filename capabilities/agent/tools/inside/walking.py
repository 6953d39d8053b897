"""Walking through a workspace: every file below a folder, following no link; blocking."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...workspace.manifest import NOT_KEPT
from .confined import PathRefused, located, shown

PASSED_BY = NOT_KEPT | {".git"}
"""Folders that a search does not look into, unless it begins in one."""


DEEPEST = 100
"""Folders within each other that are looked into: each takes a descriptor while it is."""


class Found(NamedTuple):
    """A file, as a name in an open folder."""

    path: str
    """From the folder where the walk began; empty: the walk began at this file."""
    name: str
    folder: int


def walk(root: Path, path: str) -> Iterator[Found]:
    """Yield the files below a folder of the workspace, or the file itself. Raises PathRefused."""
    with located(root, path) as spot:
        status = spot.lstat()
        if status is None:
            raise PathRefused(f"{shown(path)} does not exist: look for it with glob")
        if not stat.S_ISDIR(status.st_mode):
            yield Found("", spot.name, spot.folder)
            return
        yield from _below(spot.folder, spot.name, "", 0)


def _below(parent: int, name: str, path: str, depth: int) -> Iterator[Found]:
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        return  # it has just gone, or nobody may look
    try:
        folders = []
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                yield Found(path + entry.name, entry.name, folder)
        for inner in folders:
            if inner not in PASSED_BY and depth < DEEPEST:
                yield from _below(folder, inner, f"{path}{inner}/", depth + 1)
    finally:
        os.close(folder)
