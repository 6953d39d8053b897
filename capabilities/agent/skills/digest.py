"""The digest of a skill's folder: names, contents and which files may be run, whatever the machine; blocking."""

import hashlib
import os
import stat
from pathlib import Path

from ....errors import UsageError
from .skill import ORIGIN

MAX_FILES = 1000
MAX_BYTES = 32 * 2**20


def skill_files(folder: Path) -> list[tuple[str, Path, bool]]:
    """Return each file of a skill in order: its path in the folder, its place, and whether it may be run.

    Left out are hidden folders and what Python keeps. Raises UsageError for a link, a device or the like,
    and for a skill that is too large.
    """
    found: list[tuple[str, Path, bool]] = []
    size = 0
    for here, folders, files in os.walk(folder):
        links = [name for name in folders if Path(here, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in [*links, *files]:
            place = Path(here, name)
            relative = place.relative_to(folder).as_posix()
            status = place.lstat()
            if relative == ORIGIN:
                continue
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{place} is no plain file: a skill holds files and folders only, no links")
            if not relative.isprintable():
                raise UsageError(f"{place!s:.200} has a name with control characters: rename it")
            size += status.st_size
            found.append((relative, place, bool(status.st_mode & stat.S_IXUSR)))
        if len(found) > MAX_FILES or size > MAX_BYTES:
            raise UsageError(
                f"{folder} holds over {MAX_FILES:,} files or {MAX_BYTES // 2**20} MB: that is too large for a skill"
            )
    return sorted(found)


def skill_digest(folder: Path) -> str:
    """Return `sha256:…` of a skill's folder. Raises UsageError as `skill_files` does."""
    whole = hashlib.sha256()
    for relative, place, runs in skill_files(folder):
        content = hashlib.sha256(place.read_bytes()).digest()
        name = relative.encode("utf-8", "surrogateescape")
        whole.update(len(name).to_bytes(4, "big") + name + bytes([runs]) + content)
    return f"sha256:{whole.hexdigest()}"
