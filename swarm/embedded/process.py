"""Processes by pid, without mistaking a stranger who got the same number for the one we mean."""

import os
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path

_POLL = 0.005
_EXEC = 0.1
_PROC = Path("/proc/self/stat")


def birth(pid: int) -> str | None:
    """Return a mark of when the process began, equal for one process only; None when it is gone."""
    if _PROC.exists():
        fields = _stat(pid)
        return fields[19] if fields and fields[0] != "Z" else None
    said = _ps(pid, "stat=,lstart=")
    return said.partition(" ")[2].strip() if said and not said.startswith("Z") else None


def command_line(pid: int) -> str:
    """Return the process's arguments, joined by spaces; "" when it is gone, a zombie or not ours to see."""
    if _PROC.exists():
        deadline = time.monotonic() + _EXEC
        while True:
            fields = _stat(pid)
            if not fields or fields[0] in "ZX":
                return ""
            try:
                raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                return ""
            # A process in the middle of exec, or of its end, shows no arguments for a moment.
            if raw or time.monotonic() > deadline:
                return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="surrogateescape")
            time.sleep(0.001)
    said = _ps(pid, "stat=,command=")
    return said.partition(" ")[2].strip() if said and not said.startswith("Z") else ""


def is_server(pid: int, config: Path) -> bool:
    """Whether the pid is a live nats-server that runs on that configuration file."""
    line = command_line(pid)
    return "nats-server" in line and str(config) in line


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False when there is no such process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pid: int, mark: str | None, limit: timedelta) -> bool:
    """Wait until the process with that birth mark is gone; False when the limit has passed."""
    deadline = time.monotonic() + limit.total_seconds()
    while mark is not None and birth(pid) == mark:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _stat(pid: int) -> list[str]:
    """Fields 3 and on of proc(5)'s stat: [0] is the state, [19] the start time in clock ticks."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _ps(pid: int, columns: str) -> str:
    ran = subprocess.run(
        ["/bin/ps", "-ww", "-o", columns, "-p", str(pid)],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    return ran.stdout.strip()
