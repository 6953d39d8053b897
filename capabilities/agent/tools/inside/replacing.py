"""Replacing a file's content at once: whoever reads it sees the old or the new, never a part; blocking."""

import os
import secrets
import stat
from contextlib import suppress

from .confined import PathRefused, Spot, shown

USUAL = 0o644


def replace_content(spot: Spot, data: bytes, path: str) -> bool:
    """Write a file; return whether it is new. Its mode stays. Raises PathRefused for what is no file."""
    status = spot.lstat()
    if spot.name == "." or (status is not None and stat.S_ISDIR(status.st_mode)):
        raise PathRefused(f"{shown(path)} is a folder: name a file")
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise PathRefused(f"{shown(path)} is no plain file: it is not written over")
    unfinished = Spot(spot.folder, f".{secrets.token_hex(8)}.unfinished", "")
    descriptor = unfinished.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, USUAL if status is None else stat.S_IMODE(status.st_mode))
        os.rename(unfinished.name, spot.name, src_dir_fd=spot.folder, dst_dir_fd=spot.folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(unfinished.name, dir_fd=spot.folder)
        raise
    return status is None
