"""Run one program and see to it that nothing of it is left: a process between the node and a user's program.

`python -I -S supervise.py ORDER.json`. Processes that fork away from the program come back to this one
(Linux: subreaper), so all can be found and ended. The node orders by a pipe: a byte means end it with
SIGTERM and, after the grace, SIGKILL; its closing, as by the node's death, means SIGKILL at once. How the
program ended goes to the node by another pipe, in lines of JSON.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

LINUX = sys.platform == "linux"
PROGRESS = 3
"""The descriptor on which the program may tell how far it is."""
SWEEPING_S = 3.0
"""How long processes are hunted that fork faster than they are ended."""
LOOKING_S = 0.2
"""Between two looks at what all of its processes take together, where that is bounded."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Carry out the order."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # Those of a node with many are large, and select takes none above 1023; and no child shall have them.
    control, report, progress = (os.dup(order[pipe]) for pipe in ("control", "report", "progress"))
    for pipe in ("control", "report", "progress"):
        os.close(order[pipe])
    libc = ctypes.CDLL(None) if LINUX else None
    if libc is not None:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _noted)
    program, why = start(order, libc, progress)
    os.close(progress)
    _let_go_of_stdin()
    # At once: should this process be killed, the node has to know whom to look for.
    os.write(report, json.dumps({"pid": program}).encode() + b"\n")
    told: dict[str, Any] = why
    if program is not None:
        told = watch(program, control, woken, order["grace_s"], order["bounds"])
    told["left"] = sweep(program)
    os.write(report, json.dumps(told).encode())
    os._exit(0)


def _noted(number: int, _: object) -> None:
    """Have a handler, so that the signal wakes the loop; an order to end comes by the pipe alone."""


def _let_go_of_stdin() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


# --- starting it ---


def start(order: dict[str, Any], libc: Any, progress: int) -> tuple[int | None, dict[str, Any]]:
    """Fork and become the program; return its pid, or what kept it from starting."""
    read, write = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        # Out of the way: its number may be the one that the program shall find.
        failed = fcntl.fcntl(write, fcntl.F_DUPFD_CLOEXEC, 10)
        try:
            _become(order, libc, fcntl.fcntl(progress, fcntl.F_DUPFD_CLOEXEC, 10), supervisor)
        except OSError as error:
            os.write(failed, json.dumps({"errno": error.errno, "why": error.strerror}).encode())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
            os.write(failed, json.dumps({"errno": 0, "why": f"{type(error).__name__}: {error}"}).encode())
        os._exit(127)
    os.close(write)
    said = b""
    while chunk := os.read(read, 4096):
        said += chunk
    os.close(read)
    if said:
        os.waitpid(pid, 0)
        return None, {"refused": json.loads(said)}
    return pid, {}


def _become(order: dict[str, Any], libc: Any, progress: int, supervisor: int) -> None:
    os.setsid()
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(127)
    signal.set_wakeup_fd(-1)
    for number in (
        signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ,
    ):  # fmt: skip
        signal.signal(number, signal.SIG_DFL)
    os.chdir(order["cwd"])
    os.dup2(progress, PROGRESS)
    _limit(order["limits"])
    os.execvpe(order["argv"][0], order["argv"], os.environ)  # noqa: S606 - no shell is the point


def _limit(limits: dict[str, int | None]) -> None:
    import resource

    kinds = {
        "cpu_s": resource.RLIMIT_CPU,
        "file_size": resource.RLIMIT_FSIZE,
        "open_files": resource.RLIMIT_NOFILE,
        # Elsewhere the address space is no measure of memory and a limit on it breaks programs.
        "memory": resource.RLIMIT_AS if LINUX else None,
        "core": resource.RLIMIT_CORE,
    }
    for name, value in {**limits, "core": 0}.items():
        kind = kinds[name]
        if value is None or kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))


# --- watching it ---


def watch(program: int, control: int, woken: int, grace_s: float, bounds: dict[str, Any]) -> dict[str, Any]:
    """Wait for the program's end, ending it when ordered or beyond its bounds; return how it ended."""
    kill_at: float | None = None
    look_at = time.monotonic()
    passed: dict[str, Any] = {}
    listening = [control, woken]
    while True:
        ended = _reap(program)
        if ended is not None:
            return ended | passed
        if bounds and not passed and time.monotonic() >= look_at:
            found = beyond(bounds)
            if found:
                passed = {"exceeded": found}
                kill_at = time.monotonic()
            look_at = time.monotonic() + LOOKING_S
        due = [moment for moment in (kill_at, look_at if bounds else None) if moment is not None]
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        ready, _, _ = select.select(listening, [], [], wait)
        if woken in ready:
            _drain(woken)
        if control in ready:
            if os.read(control, 16):
                if kill_at is None:
                    kill_at = time.monotonic() + grace_s
                    _signal_all(program, signal.SIGTERM)
            else:
                listening.remove(control)
                kill_at = time.monotonic()
        if kill_at is not None and time.monotonic() >= kill_at:
            _signal_all(program, signal.SIGKILL)
            kill_at = time.monotonic() + 0.05


def beyond(bounds: dict[str, Any]) -> str:
    """Return which of its bounds all processes of the program together have passed; empty for none."""
    below = descendants()
    if bounds["processes"] is not None and len(below) > bounds["processes"]:
        return "processes"
    if bounds["memory"] is not None and sum(map(_own_memory, below)) > bounds["memory"]:
        return "memory"
    if bounds["disk"] is not None and _disk_passed(bounds):
        return "disk"
    return ""


def _own_memory(pid: int) -> int:
    """Return the bytes that are a process's own."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            resident, shared = file.read().split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _disk_passed(bounds: dict[str, Any]) -> bool:
    """Return whether a folder holds too much; it is counted only where its disk got that much fuller."""
    status = os.statvfs(bounds["folder"])
    free = status.f_bavail * status.f_frsize
    if "free" in bounds and bounds["free"] - free <= bounds["disk"] // 4:
        return False
    bounds["free"] = free
    return _size_of(bounds["folder"]) > int(bounds["disk"])


def _size_of(folder: str) -> int:
    total = 0
    waiting = [folder]
    for place in waiting:
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        # A file of holes takes less than it seems to hold.
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 4096):
            continue
    except BlockingIOError:
        return


def _reap(program: int) -> dict[str, Any] | None:
    """Collect what has ended; return how the program did, once it has."""
    ended: dict[str, Any] | None = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended or {"exit": 127}
        if pid == 0:
            return ended
        if pid == program:
            code = os.waitstatus_to_exitcode(status)
            ended = {"exit": code} if code >= 0 else {"signal": -code}
            return ended


# --- leaving nothing ---


def sweep(program: int | None) -> int:
    """Kill every process that is left below this one; return how many there were."""
    seen: set[int] = set()
    until = time.monotonic() + SWEEPING_S
    while time.monotonic() < until:
        below = descendants()
        if program is not None and not LINUX:
            _kill_group(program, signal.SIGKILL)
        if not below:
            break
        seen.update(below)
        for pid in below:
            _kill(pid, signal.SIGKILL)
        _collect()
        time.sleep(0.002)
    return len(seen)


def _collect() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _signal_all(program: int, number: int) -> None:
    below = descendants()
    if not below:
        _kill_group(program, number)
    for pid in below:
        _kill(pid, number)


def _kill_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def descendants() -> list[int]:
    """Return the living processes below this one, parents first, as /proc tells; none where there is no /proc."""
    if not LINUX:
        return []
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name in brackets may itself hold blanks and brackets.
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(name))
    # A parent hears of the end before its child's end can tell it anything else.
    found = [os.getpid()]
    for pid in found:
        found += [child for child in children.get(pid, ()) if child not in found]
    return found[1:]


if __name__ == "__main__":
    main()
