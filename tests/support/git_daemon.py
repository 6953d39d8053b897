"""A git daemon on a port of its own, which serves the repositories of a folder."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from picoclaw.tests.support.waiting import wait_for


@contextmanager
def git_daemon(project: Path, log: Path) -> Iterator[str]:
    """Serve a repository, with its neighbours, and yield its URL."""
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            ["git", "daemon", "--verbose", "--export-all", "--reuseaddr", "--listen=127.0.0.1", "--port=0",
             f"--base-path={project.parent}", str(project.parent)],
            stderr=output, stdout=output, start_new_session=True,
        )  # fmt: skip
    try:
        port = wait_for(lambda: listening_port(daemon.pid), 10)
        yield f"git://127.0.0.1:{port}/{project.name}"
    finally:
        os.killpg(daemon.pid, 9)
        daemon.wait()


def listening_port(pid: int) -> int | None:
    """Return the port that a process, or a child of it, listens on."""
    process = psutil.Process(pid)
    for each in [process, *process.children(recursive=True)]:
        for connection in each.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
    return None
