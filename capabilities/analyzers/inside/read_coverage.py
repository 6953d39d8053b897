"""A coverage report as JSON on stdout: `read_coverage.py REPORT FOLDER`."""

import json
import re
import shutil
import sqlite3
import sys
from pathlib import Path


def from_xml(text: str) -> tuple[float | None, dict[str, float]]:
    """Read Cobertura XML by pattern: no XML parser of the standard library is safe with strangers' files."""
    total = re.search(r"<coverage\b[^>]*?\bline-rate=\"([\d.]+)\"", text)
    files = {}
    for tag in re.findall(r"<class\b[^>]*>", text):
        name = re.search(r"\bfilename=\"([^\"]+)\"", tag)
        rate = re.search(r"\bline-rate=\"([\d.]+)\"", tag)
        if name and rate:
            files[name[1]] = 100 * float(rate[1])
    return (100 * float(total[1]) if total else None), files


def from_json(text: str) -> tuple[float | None, dict[str, float]]:
    """Read the JSON form of coverage.py."""
    data = json.loads(text)
    files = {name: float(entry["summary"]["percent_covered"]) for name, entry in data["files"].items()}
    return float(data["totals"]["percent_covered"]), files


def measured(database: Path) -> int:
    """Return how many files coverage.py's own database speaks of; it does not hold the lines missed."""
    with sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True) as connection:
        row = connection.execute("select count(*) from file").fetchone()
    return int(row[0])


def main() -> None:
    """Read the report named first; the folder named second is for a copy."""
    report = Path(sys.argv[1])
    percent: float | None = None
    files: dict[str, float] = {}
    detail = ""
    if report.suffix == ".xml":
        percent, files = from_xml(report.read_text(encoding="utf-8", errors="replace"))
    elif report.suffix == ".json":
        percent, files = from_json(report.read_text(encoding="utf-8"))
    else:
        copy = Path(sys.argv[2], "coverage.db")
        shutil.copyfile(report, copy)
        detail = f"it measured {measured(copy)} files; run `coverage json` for figures"
    json.dump(
        {
            "report": report.name,
            "percent": round(percent, 1) if percent is not None else None,
            "files": files,
            "detail": detail,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
