"""Figures that tests measure: named durations, gathered in a file and told at the end of `make chaos`.

    with figure("kill -9 of a worker"): ...           # what the block took
    record("kill -9 of a worker", seconds)            # or by hand

They go to the JSON-lines file that FIGURES_OF_TESTS names; without it nothing is written. The end of a run
prints median and worst of each (`tests/conftest.py`).
"""

import fcntl
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "FIGURES_OF_TESTS"


def record(name: str, seconds: float, unit: str = "s") -> None:
    """Note one figure."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several processes of one run write it
        file.write(json.dumps({"name": name, "value": seconds, "unit": unit}) + "\n")


@contextmanager
def figure(name: str) -> Iterator[None]:
    """Note how long a block took; nothing is noted of one that fails."""
    begun = time.monotonic()
    yield
    record(name, time.monotonic() - begun)


def table(path: Path) -> list[str]:
    """Return the figures, a line each: how often, median, worst."""
    if not path.exists():
        return []
    found: dict[tuple[str, str], list[float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)
        found.setdefault((said["name"], said["unit"]), []).append(float(said["value"]))
    width = max((len(name) for name, _ in found), default=0)
    return [
        f"{name:{width}}  {len(values):4} x   median {statistics.median(values):8.2f} {unit}   "
        f"worst {max(values):8.2f} {unit}"
        for (name, unit), values in sorted(found.items())
    ]
