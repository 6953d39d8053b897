"""Which processes belong to a test: everything that runs with its home, however it was started."""

from collections.abc import Iterable
from pathlib import Path

import psutil


def processes_of(home: Path) -> list[psutil.Process]:
    """The processes with HOME in or under `home`: children, and also what detached itself."""
    found = []
    for process in psutil.process_iter():
        try:
            theirs = process.environ().get("HOME", "")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if theirs and Path(theirs).is_relative_to(home) and process.pid != psutil.Process().pid:
            found.append(process)
    return found


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that run, without what has ended and only waits to be collected."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def describe(processes: list[psutil.Process]) -> list[str]:
    """One line each: pid and command line."""
    lines = []
    for process in processes:
        try:
            lines.append(f"{process.pid} {' '.join(process.cmdline())}")
        except psutil.NoSuchProcess:
            continue
    return lines
