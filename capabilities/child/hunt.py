"""Hunting what a killed supervisor can no longer end: processes of its program's session, or with its marks."""

import os
import signal
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

LONGEST = timedelta(seconds=3)


def hunt(session: int | None, mark: str) -> int:
    """Kill every process of a session, and any whose environment holds `mark`; return how many; blocking.

    Where there is no /proc it kills the process group of the session's leader.
    """
    if not Path("/proc/self/stat").exists():
        if session is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(session, signal.SIGKILL)
        return 0
    seen: set[int] = set()
    until = time.monotonic() + LONGEST.total_seconds()
    while time.monotonic() < until:
        left = {int(name) for name in os.listdir("/proc") if name.isdigit() and _belongs(name, session, mark)}
        if not left:
            break
        seen |= left
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return len(seen)


def _belongs(pid: str, session: int | None, mark: str) -> bool:
    if int(pid) == os.getpid():
        return False
    try:
        # The name in brackets may itself hold blanks and brackets.
        state, _, _, of = Path("/proc", pid, "stat").read_bytes().rpartition(b")")[2].split()[:4]
        if state in (b"Z", b"X"):
            return False
        return int(of) == session or os.fsencode(mark) in Path("/proc", pid, "environ").read_bytes()
    except (OSError, ValueError):
        return False
