"""The run directory, `~/.picoclaw/run`: what runs on this machine for this user.

server.json     the shared server (record.py)
start.lock      held while somebody starts, restarts, joins or leaves it
lease.lock      held shared by each process that uses it
nodes/<pid>     one file per node process, locked for as long as it lives
"""

import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ...config.home import home_folder
from ...errors import EmbeddedServerError
from .locks import FileLock
from .process import birth


def picoclaw_home() -> Path:
    """Return `~/.picoclaw` of this user."""
    return home_folder() / ".picoclaw"


def run_dir(home: Path) -> Path:
    """Return the run directory under a picoclaw home; it need not exist."""
    return home / "run"


def record_path(run: Path) -> Path:
    """Return where the shared server's record stands."""
    return run / "server.json"


def make_private_dir(path: Path) -> Path:
    """Return the folder, made if need be, that only this user may enter (0700).

    Raises EmbeddedServerError when it belongs to somebody else or cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
        if status.st_uid != os.geteuid():
            raise EmbeddedServerError(
                f"{path} belongs to another user (uid {status.st_uid}, and this is {os.geteuid()}): "
                "set HOME to your own home directory (with sudo, use `sudo -H`)"
            )
        if stat.S_IMODE(status.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise EmbeddedServerError(
            f"{path} cannot be used as a folder ({error.strerror}): make it writable for this user"
        ) from error
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEntry:
    """A node process that lives on this machine."""

    pid: int
    name: str
    role: str
    birth: str
    """Mark of this very process, as `process.birth` gives it."""


class NodeRegistration:
    """Keeps a node's file locked until `close`, or until the process is gone."""

    def __init__(self, path: Path, lock: FileLock, entry: NodeEntry) -> None:
        self.entry = entry
        self._path = path
        self._lock = lock

    def close(self) -> None:
        """Take the node off the list; harmless when called again."""
        if self._lock.fd >= 0:
            self._path.unlink(missing_ok=True)
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def register_node(run: Path, name: str, role: str, pid: int) -> NodeRegistration:
    """Put this process on the list of the machine's nodes; hold what is returned while it lives.

    Raises EmbeddedServerError when the run directory cannot be used.
    """
    folder = make_private_dir(make_private_dir(run) / "nodes")
    entry = NodeEntry(pid=pid, name=name, role=role, birth=birth(pid) or "")
    temporary = folder / f".{pid}.{os.urandom(4).hex()}"
    # Locked before it appears under its name, so that nobody can find it unlocked and remove it.
    lock = FileLock(temporary)
    lock.try_exclusive()
    os.write(lock.fd, json.dumps(asdict(entry)).encode())
    path = folder / f"{pid}.json"
    temporary.replace(path)
    return NodeRegistration(path, lock, entry)


def live_nodes(run: Path) -> list[NodeEntry]:
    """Return the machine's live nodes by name, and remove the files of dead ones."""
    found = []
    for path in sorted((run / "nodes").glob("*.json")):
        try:
            with FileLock(path) as lock:
                if lock.try_shared():
                    path.unlink(missing_ok=True)
                    continue
            found.append(NodeEntry(**json.loads(path.read_bytes())))
        except (FileNotFoundError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda node: (node.name, node.pid))
