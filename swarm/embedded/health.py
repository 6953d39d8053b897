"""Health: what each node process of this machine says of itself, for health checks that need no network.

A node keeps one file below `run/health`, locked for as long as it lives and written anew, in place, every
two seconds by its event loop. Ages count by the monotonic clock, which one machine's processes share and
which no change of the time of day moves; the lock says that the writer still lives, so no stamp can be of
an earlier boot. Where several machines or containers share one home, each sees its own nodes only.
"""

import errno
import fcntl
import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from ...errors import EmbeddedServerError
from .locks import FileLock
from .rundir import make_private_dir

log = logging.getLogger(__name__)

Phase = Literal["starting", "serving", "draining"]

TURN = timedelta(seconds=2)
"""A node writes its file this often."""
STUCK_AFTER = timedelta(seconds=6)
"""A loop that did not turn for this long is stuck; for the node timeout, where that is longer."""
SIZE = 2048
"""Bytes of a file. It is written over and never grows, so that a disk that fills up changes nothing."""
_TORN = 0.02
"""Seconds until a file that was read in the middle of a write is read again."""
_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a node said of itself last; times are seconds of the monotonic clock."""

    node: str
    run: str
    pid: int
    role: str
    phase: Phase
    connected: bool
    turned_at: float
    """When its event loop turned last."""
    beat_at: float | None
    """When its last stored heartbeat came back to it; None before the first."""
    node_timeout_s: float
    here: str
    """The machine and the container of the writer, as `here` gives it."""

    def why_not_alive(self, now: float) -> str | None:
        """Return why the process should be restarted; None when it should not.

        Only a loop that is stuck says so: a node without NATS comes back by itself.
        """
        silent = now - self.turned_at
        limit = max(STUCK_AFTER.total_seconds(), self.node_timeout_s)
        if silent > limit:
            return f"its event loop has been stuck for {silent:.0f} s (limit {limit:g} s)"
        return None

    def why_not_ready(self, now: float) -> str | None:
        """Return why the node does not take part in its swarm now; None when it does."""
        if stuck := self.why_not_alive(now):
            return stuck
        if self.phase != "serving":
            return "it has not joined the swarm yet" if self.phase == "starting" else "it is draining"
        if not self.connected:
            return "it is not connected to NATS; it reconnects by itself"
        if self.beat_at is None:
            return "no heartbeat of it has been stored yet"
        age = now - self.beat_at
        if age > self.node_timeout_s:
            return f"its last stored heartbeat is {age:.0f} s old (node timeout {self.node_timeout_s:g} s)"
        return None


class HealthFile:
    """A node's own file. Nothing that befalls it is ever the node's failure."""

    def __init__(self, run: Path, name: str) -> None:
        """`run` is the run directory, `name` the id of the node's run."""
        self._folder = run / "health"
        self._path = self._folder / f"{name}.json"
        self._lock: FileLock | None = None
        self._warned = False

    def write(self, health: Health) -> None:
        """Write it over what stood there; a disk that takes nothing is warned of once."""
        try:
            if self._lock is None:
                self._lock = self._make(_packed(health))
            else:
                os.pwrite(self._lock.fd, _packed(health), 0)
        except (OSError, EmbeddedServerError) as error:
            if not self._warned:
                self._warned = True
                log.warning("`picoclaw health` may not tell of this node: %s", error)

    def close(self) -> None:
        """Take the node off the list; harmless when called again."""
        if self._lock is None:
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.debug("%s stays behind, and is nobody's: %s", self._path, error)
        self._lock.close()
        self._lock = None

    def _make(self, content: bytes) -> FileLock:
        make_private_dir(make_private_dir(self._folder.parent) / self._folder.name)
        _sweep(self._folder)
        temporary = self._folder / f".{self._path.stem}.{os.urandom(4).hex()}"
        # Locked and filled before it appears under its name, so that nobody finds it free or empty.
        lock = FileLock(temporary)
        try:
            lock.try_exclusive()
            os.pwrite(lock.fd, content, 0)
            temporary.replace(self._path)
        except BaseException:
            lock.close()
            temporary.unlink(missing_ok=True)
            raise
        return lock


def read_health(run: Path) -> list[Health]:
    """Return what the machine's live nodes said last, by name. Nothing is written."""
    paths = (run / "health").glob("*.json")
    told = [health for path in paths if _held(path) and (health := _read(path)) is not None]
    mine = here()
    found = [health for health in told if health.here == mine]
    return sorted(found, key=lambda health: (health.node, health.pid))


def cannot_be_written(run: Path) -> str | None:
    """Return why no node can say anything in the run directory now; None when it can."""
    probe = run / "health" / f".probe.{os.getpid()}"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, b" " * SIZE)
        finally:
            os.close(fd)
            probe.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in _CANNOT_WRITE:
            return error.strerror
    return None


def now() -> float:
    """Return the time by the clock of these files, in seconds."""
    return time.monotonic()


def here() -> str:
    """Return a mark of this machine since its boot, and of the container in it: where pids mean the same."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return os.uname().nodename


def _packed(health: Health) -> bytes:
    return json.dumps(asdict(health), ensure_ascii=False).encode().ljust(SIZE)


def _held(path: Path) -> bool:
    """Whether the process that wrote it lives; a file that only can be read tells it too."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _read(path: Path) -> Health | None:
    for left in (1, 0):
        try:
            return Health(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            time.sleep(_TORN * left)
    return None


def _sweep(folder: Path) -> None:
    """Remove the files of processes that are gone."""
    for path in folder.glob("*.json"):
        if not _held(path):
            path.unlink(missing_ok=True)
