"""Figures that tests measure: named durations, gathered in a file and told at the end of `make chaos`.

    with figure("kill -9 of a worker"): ...           # what the block took
    record("kill -9 of a worker", seconds)            # or by hand

    row("kills", {"what is killed": "a worker", "asked": 3})  # a line of a table of that name

They go to the JSON-lines file that FIGURES_OF_TESTS names; without it nothing is written. The end of a run
prints median and worst of each, then each table (`tests/conftest.py`).
"""

import fcntl
import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "FIGURES_OF_TESTS"


def record(name: str, seconds: float, unit: str = "s") -> None:
    """Note one figure."""
    _note({"name": name, "value": seconds, "unit": unit})


def row(table: str, columns: Mapping[str, object], order: Sequence[int] = ()) -> None:
    """Note one line of a table; lines stand by `order`, whenever they are noted."""
    _note(
        {
            "table": table,
            "columns": {name: str(value) for name, value in columns.items()},
            "order": list(order),
        }
    )


def _note(what: Mapping[str, object]) -> None:
    path = os.environ.get(VARIABLE)
    if not path:
        return
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several processes of one run write it
        file.write(json.dumps(what) + "\n")


@contextmanager
def figure(name: str) -> Iterator[None]:
    """Note how long a block took; nothing is noted of one that fails."""
    begun = time.monotonic()
    yield
    record(name, time.monotonic() - begun)


def _noted(path: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def tables(path: Path) -> dict[str, list[str]]:
    """Return each table by its name, as lines of Markdown."""
    found: dict[str, list[dict[str, Any]]] = {}
    for said in _noted(path):
        if "table" in said:
            found.setdefault(said["table"], []).append(said)
    return {name: _drawn(sorted(rows, key=lambda one: list(one["order"]))) for name, rows in found.items()}


def _drawn(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row["columns"]))
    lines = [columns, *([row["columns"].get(name, "") for name in columns] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return [drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]]


def table(path: Path) -> list[str]:
    """Return the figures, a line each: how often, median, worst."""
    found: dict[tuple[str, str], list[float]] = {}
    for said in _noted(path):
        if "table" in said:
            continue
        found.setdefault((said["name"], said["unit"]), []).append(float(said["value"]))
    width = max((len(name) for name, _ in found), default=0)
    return [
        f"{name:{width}}  {len(values):4} x   median {statistics.median(values):8.2f} {unit}   "
        f"worst {max(values):8.2f} {unit}"
        for (name, unit), values in sorted(found.items())
    ]
