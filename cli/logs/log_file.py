"""A node's log on disk: JSON lines in a private folder, bounded, and never the reason for a node to fail."""

import logging
import os
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from ...errors import PicoclawError
from .sparing import spare

LIMIT = 5_000_000
"""Bytes of one file; with the one before it a node keeps twice that."""
KEPT = timedelta(days=7)
"""How long the log of a node that has gone stays after its last line."""
MOST = 50
"""Gone nodes whose logs stay; a node that starts under a new name each minute must not fill the disk."""
LOOK = timedelta(milliseconds=500)
SUFFIX = ".log"
OLDER = ".log.1"

log = logging.getLogger(__name__)


def log_folder(home: Path) -> Path:
    """Return where the nodes' logs lie under a picoclaw home; it need not exist."""
    return home / "logs"


def keep_log(home: Path, node: str, formatter: logging.Formatter) -> "NodeLog | None":
    """Write this process's log to the node's file as well, and remove what gone nodes left long ago.

    Where that cannot be done, a warning says so, None is returned, and the node goes on.
    """
    from ...swarm.embedded.rundir import live_nodes, make_private_dir, run_dir
    from ...swarm.subjects import token

    try:
        folder = make_private_dir(log_folder(make_private_dir(home)))
        living = {token(entry.name) for entry in live_nodes(run_dir(home))} | {token(node)}
        sweep(folder, living, now=time.time())
    except (PicoclawError, OSError) as error:
        log.warning("the log is not kept in a file: %s", error)
        return None
    handler = NodeLog(folder / f"{token(node)}{SUFFIX}")
    handler.setFormatter(formatter)
    spare(handler)
    logging.getLogger().addHandler(handler)
    return handler


def sweep(folder: Path, living: Collection[str], *, now: float) -> None:
    """Remove the logs of gone nodes that are older than `KEPT`, and the oldest of more than `MOST`.

    `living`: the slugs of those that are there.
    """
    last: dict[str, float] = {}
    for path in folder.glob("*.log*"):
        slug = path.name.partition(".")[0]
        if path.is_dir():
            continue  # nobody's log
        try:
            last[slug] = max(last.get(slug, 0.0), path.stat().st_mtime)
        except FileNotFoundError:
            continue  # another node that starts now was quicker
    gone = sorted(last.keys() - living, key=lambda slug: -last[slug])
    for number, slug in enumerate(gone):
        if number >= MOST or now - last[slug] > KEPT.total_seconds():
            for suffix in (SUFFIX, OLDER):
                (folder / f"{slug}{suffix}").unlink(missing_ok=True)


class NodeLog(logging.Handler):
    """Appends lines to a file; a full one makes room by becoming the older one.

    Two processes may share it: each line is one write, and twice a second each looks whether the file
    still stands under its name.
    """

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        super().__init__()
        self.path = path
        self._older = path.with_suffix(OLDER)
        self._limit = limit
        self._fd = -1
        self._size = 0
        self._looked = 0.0
        self._torn = False
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a full disk loses it, and is told once."""
        try:
            self._write(f"{self.format(record)}\n".encode())
        except OSError as error:
            self._close()
            if not self._told:
                self._told = True
                # Goes to the other handlers; here it fails as well, silently now.
                log.warning(
                    "%s cannot be written: %s; the node goes on without it", self.path, error.strerror
                )

    def close(self) -> None:
        """Give the file back."""
        self._close()
        super().close()

    def note_end(self, error: Exception) -> None:
        """Write down why the node ended, which its terminal is told by others."""
        known = isinstance(error, PicoclawError)
        info = None if known else (type(error), error, error.__traceback__)
        self.handle(
            logging.LogRecord("picoclaw.node", logging.ERROR, "", 0, "node ended: %s", (error,), info)
        )

    def _write(self, line: bytes) -> None:
        now = time.monotonic()
        if self._fd >= 0 and now - self._looked > LOOK.total_seconds():
            self._looked = now
            if not self._still_there():
                self._close()
        if self._fd < 0:
            self._open()
        if self._size and self._size + len(line) > self._limit:
            self.path.replace(self._older)
            self._close()
            self._open()
        line = b"\n" + line if self._torn else line
        written = os.write(self._fd, line)
        # What is left of a line whose rest found no room would swallow the next one.
        self._torn = written < len(line)
        self._size += written

    def _still_there(self) -> bool:
        try:
            stands, ours = os.stat(self.path), os.fstat(self._fd)
        except FileNotFoundError:
            return False
        self._size = ours.st_size
        return (stands.st_dev, stands.st_ino) == (ours.st_dev, ours.st_ino)

    def _open(self) -> None:
        # Without O_NONBLOCK a pipe under its name would hold the node until somebody reads there.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self._fd = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
