"""Files that a command writes at its end: whether they can be written is asked at its beginning."""

import os
from pathlib import Path

from ...errors import UsageError


def check_writable(path: Path, flag: str) -> None:
    """Raise UsageError for a file that could not be written; `flag` is the option that named it."""
    folder = path.absolute().parent
    try:
        folder_is_there, is_folder, is_there = folder.is_dir(), path.is_dir(), path.exists()
    except OSError as error:
        raise UsageError(f"{flag} {path} cannot be written ({error.strerror}): name another file") from None
    if not folder_is_there:
        raise UsageError(f"{flag} {path}: its folder does not exist: make it first")
    if is_folder:
        raise UsageError(f"{flag} {path} is a folder: name a file in it")
    if not os.access(path if is_there else folder, os.W_OK):
        raise UsageError(f"{flag} {path} cannot be written: check its permissions, or name another file")
