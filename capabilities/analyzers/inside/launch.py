"""Set limits on this process, then become a Python module run as a program.

`python -I launch.py ORDER.json`; the order names the module, its arguments and the limits. Arguments
come by file, because the list of a large repository's files does not fit a command line.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def limit(cpu_s: int, memory: int, file_size: int) -> None:
    """Bound CPU seconds, address space and written files, as far as the machine allows."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: file_size,
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":
        # Elsewhere the address space is no measure of memory and a limit on it breaks programs.
        wanted[resource.RLIMIT_AS] = memory
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, hard))


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its parent dies, be it by kill -9 (Linux only)."""
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the node that started this tool has died")


def run(order: dict[str, Any]) -> int:
    """Run the module or script to its end and return its exit code."""
    try:
        if script := order.get("script"):
            sys.argv = [script, *order["argv"]]
            runpy.run_path(script, run_name="__main__")
        else:
            sys.argv = [order["module"], *order["argv"]]
            runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    return 0


def main() -> None:
    """Carry out the order and leave at once."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    die_with_parent(order["parent"])
    limit(order["cpu_s"], order["memory"], order["file_size"])
    code = run(order)
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking the trees of a whole program apart at exit costs mypy as much again as the check itself.
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
