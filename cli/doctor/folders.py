"""The user's folder, `~/.picoclaw`: its rights, what runs by it, and what has heaped up in it."""

import os
import stat
import time
from pathlib import Path

from ...swarm.checks.row import Row, failed, listed, ok, warning
from ...swarm.embedded.record import read_record
from ...swarm.embedded.rundir import live_nodes, record_path, run_dir
from ...swarm.locate import live_record

MUCH = 2 << 30
"""Bytes of cache from which on the doctor warns."""
LOOK = 1.0
"""Seconds for adding up a folder's size."""


def folder_rows(home: Path) -> list[Row]:
    """Check the folder; it need not exist."""
    folder = _home(home)
    if folder.status == "failed" or not home.exists():
        return [folder]
    try:
        return [folder, _server(home), _nodes(home), _cache(home)]
    except OSError as error:
        where = error.filename or home
        detail = f"{where} cannot be read: {error.strerror}"
        return [folder, failed("run directory", detail, f"sudo chown -R {os.geteuid()} {home}")]


def _home(home: Path) -> Row:
    if not home.exists():
        parent = home.parent
        if not os.access(parent, os.W_OK | os.X_OK):
            return failed("home", f"{home} cannot be made: {parent} is not writable", f"chmod u+wx {parent}")
        return ok("home", f"{home} is not there yet: it is made when it is needed")
    if not home.is_dir():
        return failed("home", f"{home} is a file, and a folder is needed", f"mv {home} {home}.old")
    status = home.stat()
    if status.st_uid != os.geteuid():
        return failed(
            "home", f"{home} belongs to uid {status.st_uid}", f"sudo chown -R {os.geteuid()} {home}"
        )
    if not os.access(home, os.W_OK | os.X_OK):
        return failed("home", f"{home} is not writable", f"chmod u+rwx {home}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return warning("home", f"{home} is open to other users (mode {mode:o})", f"chmod 700 {home}")
    return ok("home", f"{home}, writable, for this user alone")


def _server(home: Path) -> Row:
    path = record_path(run_dir(home))
    record = read_record(path)
    if record is None:
        if path.exists():
            return warning("shared server", f"{path} cannot be read as a record", f"rm {path}")
        return ok("shared server", "none runs for this user")
    if live_record(path) is None:
        detail = f"pid {record.pid} of {path} is gone; a node or `run` starts it again"
        return warning("shared server", detail, "picoclaw down")
    return ok("shared server", f"pid {record.pid} at {record.url}, nats-server {record.version}")


def _nodes(home: Path) -> Row:
    nodes = live_nodes(run_dir(home))
    named = listed(f"{node.name} ({node.role}, pid {node.pid})" for node in nodes)
    return ok("nodes here", f"{len(nodes)}: {named}" if nodes else "none of this user runs on this machine")


def _cache(home: Path) -> Row:
    cache = home / "cache"
    size, whole = _size(cache)
    detail = f"{'' if whole else 'over '}{size / 1e6:.0f} MB in {cache}"
    if size > MUCH:
        return warning("cache", detail, f"rm -rf {cache} (while no node runs here)")
    return ok("cache", detail if size else "empty")


def _size(folder: Path) -> tuple[int, bool]:
    """Return the bytes below a folder, and whether there was time for all of it."""
    until = time.monotonic() + LOOK
    total = 0
    for place, _, files in os.walk(folder):
        if time.monotonic() > until:
            return total, False
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue  # it has just gone
    return total, True
