"""This machine: Python, the installation, disk space, open files, programs."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from ... import __version__
from ...errors import PicoclawError
from ...swarm.checks.row import Row, failed, ok, warning

LITTLE = 1 << 30
"""Bytes of free disk space below which the doctor warns."""
NONE_LEFT = 100 << 20
FILES = 1024
"""Open files that a node with a swarm of some size needs."""
_ANSWER = 2.0


def machine_rows(home: Path) -> list[Row]:
    """Check the machine; `home` is `~/.picoclaw`."""
    return [_python(), _installation(), _disk(home), *_open_files(), _git(), _server_program()]


def _python() -> Row:
    # An older one would not have come so far.
    return ok("python", f"{platform.python_version()} at {sys.executable}")


def _installation() -> Row:
    place = Path(__file__).resolve().parents[2]
    detail = f"{__version__} at {place}"
    on_path, beside = shutil.which("picoclaw"), Path(sys.executable).with_name("picoclaw")
    if on_path is None:
        return warning(
            "picoclaw", f"{detail}; the command is not on the PATH", f'export PATH="{beside.parent}:$PATH"'
        )
    if beside.exists() and Path(on_path).resolve() != beside.resolve():
        other = f"{detail}; `picoclaw` on the PATH is another one: {on_path}"
        return warning("picoclaw", other, f'export PATH="{beside.parent}:$PATH"')
    return ok("picoclaw", detail)


def _disk(home: Path) -> Row:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return warning("disk", f"{place}: {error.strerror}", f"df -h {place}")
    detail = f"{free / 1e9:.1f} GB free at {place}"
    fix = f"free some there: du -xh {home} | sort -h"
    if free < NONE_LEFT:
        return failed("disk", detail, fix)
    return warning("disk", detail, fix) if free < LITTLE else ok("disk", detail)


def _open_files() -> list[Row]:
    try:
        import resource
    except ImportError:
        return []  # not on this system
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        allowed = FILES * 4 if hard == resource.RLIM_INFINITY else min(FILES * 4, hard)
        return [warning("open files", f"at most {soft}", f"ulimit -n {allowed}")]
    return [ok("open files", "unlimited" if soft == resource.RLIM_INFINITY else f"at most {soft}")]


def _git() -> Row:
    fix = "install it: apt install git, dnf install git or brew install git"
    found = shutil.which("git")
    if found is None:
        return warning("git", "not on the PATH: repositories by URL cannot be fetched", fix)
    try:
        ran = subprocess.run(
            [found, "--version"], capture_output=True, text=True, timeout=_ANSWER, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return warning("git", f"{found} cannot be run: {error}", fix)
    return ok("git", f"{ran.stdout.strip().removeprefix('git version ')} at {found}")


def _server_program() -> Row:
    from ...swarm.checks.row import failed_with
    from ...swarm.embedded.binary import find_server, server_version
    from ...swarm.server_version import format_version

    try:
        binary = find_server()
        version = server_version(binary)
    except PicoclawError as error:
        row = failed_with("nats-server", str(error))
        return warning(row.name, row.detail, row.fix)  # only --swarm.nats.embedded and `run` need it
    return ok("nats-server", f"{format_version(version)} at {binary}")
