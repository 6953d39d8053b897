"""Run programs one after the other and print what each of them said, as JSON.

`python -I run_each.py RUNS.json`; the file names the call that tells the version, and the runs with
their folders. What a program prints goes to a file first, whose size launch.py has bounded.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PRINTED = 48 * 2**20
"""Bytes that are read of what one program printed; more is a flood."""
SAID = 2**16
"""Bytes that are kept of its standard error, the last ones."""


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies (Linux only)."""
    if sys.platform == "linux":
        import ctypes
        import signal

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def run_one(argv: Sequence[str], cwd: str, about: str = "") -> dict[str, Any]:
    """Run one program to its end; its exit code says how it ended, negative for a signal."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False,
            preexec_fn=die_with_parent,
        )  # fmt: skip
        size = out.seek(0, 2)
        out.seek(0)
        last = err.seek(0, 2)
        err.seek(max(0, last - SAID))
        return {
            "about": about,
            "returncode": done.returncode,
            "stdout": out.read().decode("utf-8", "replace") if size <= PRINTED else "",
            "stderr": err.read().decode("utf-8", "replace"),
            "flood": size > PRINTED,
        }


def version_of(argv: Sequence[str], cwd: str) -> str:
    """Return what a program says of its version."""
    said = run_one(argv, cwd)
    return str(said["stdout"]) if said["returncode"] == 0 else ""


def main() -> None:
    """Carry out the order."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    here = str(Path(sys.argv[1]).parent)
    answer = {
        "version": version_of(order["version"], here),
        "runs": [run_one(run["argv"], run["cwd"], run["about"]) for run in order["runs"]],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
