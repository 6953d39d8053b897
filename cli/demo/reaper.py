"""End what a show started and remove its folder, however the show ends.

    python -I -S reaper.py FOLDER

Standard input says what there is: `+PID` began, `-PID` has ended, `server FILE` names where the server
writes its pid down, `keep` leaves the folder. When it closes, by kill -9 of its writer too, all that
is left is killed. It is a file of its own with little to import, so that it depends on nothing of its
parent.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable


def main(folder: str) -> int:
    """Return when everything has ended and the folder, unless it is kept, is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # its writer's end is what it waits for
    groups: set[int] = set()
    server, keep = "", False
    for line in sys.stdin:
        word = line.strip()
        if word == "keep":
            keep = True
        elif word.startswith("server "):
            server = word.removeprefix("server ")
        elif word.startswith("+"):
            groups.add(int(word[1:]))
        elif word.startswith("-"):
            groups.discard(int(word[1:]))
    for group in groups:
        _kill(os.killpg, group)
    # A node that was killed this moment may have started the server once more.
    for _ in range(20):
        _end_server(server)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        if keep or not os.path.exists(folder):
            break
        time.sleep(0.05)
    return 0


def _end_server(record: str) -> None:
    try:
        with open(record, encoding="utf-8") as file:
            pid = int(json.load(file)["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    # The number may be somebody else's by now.
    if os.path.dirname(record) in _command(pid):
        _kill(os.kill, pid)


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        if os.path.exists("/proc/self"):
            return ""
        ran = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return ran.stdout


def _kill(kill: Callable[[int, int], None], number: int) -> None:
    try:
        kill(number, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
