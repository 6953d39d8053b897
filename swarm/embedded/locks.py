"""File locks (flock): held by an open file, so the kernel frees them when their holder is gone."""

import fcntl
import os
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

_POLL = 0.005


class FileLock:
    """One open lock file. Nothing is locked until `try_exclusive`, `try_shared` or `wait_exclusive`.

    A child process that inherits `fd` shares the lock: it then lasts until both have closed it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_exclusive(self) -> bool:
        """Take the lock for this holder alone, if nobody else has it."""
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take the lock together with others, if nobody has it exclusively."""
        return self._try(fcntl.LOCK_SH)

    def wait_exclusive(self, limit: timedelta) -> bool:
        """Wait for the exclusive lock; False when the limit has passed."""
        deadline = time.monotonic() + limit.total_seconds()
        while not self.try_exclusive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def close(self) -> None:
        """Close the file; the lock ends unless a child inherited it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _try(self, how: int) -> bool:
        try:
            fcntl.flock(self.fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
