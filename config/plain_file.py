"""Open a plain file, and nothing that only looks like one: a pipe without a writer would hold us for good."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_OPEN_ALREADY = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


def open_given(path: Path) -> BinaryIO:
    """Open a file that somebody typed: as `open_plain`, or what the shell has opened for us, as `<(…)` does.

    Raises OSError. A pipe of the shell may never end: read no more of it than you need.
    """
    return path.open("rb") if str(path).startswith(_OPEN_ALREADY) else open_plain(path)


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises OSError as `open` does, and with EINVAL for a pipe, a socket or a device.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(number, "rb")
    os.close(number)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.EINVAL, "it is a pipe, device or the like")
