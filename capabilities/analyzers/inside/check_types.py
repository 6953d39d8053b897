"""mypy over named files: `check_types.py ORDER.json`, JSON on stdout.

mypy stops at the first file that it cannot place or parse, and then says nothing about the others. So
files that do not parse are left out beforehand, and one that it refuses is left out and the rest is
checked again.
"""

import ast
import json
import sys
import warnings
from pathlib import Path

from mypy import api

REFUSALS = 8
"""How many files may be left out because mypy refuses them, before this gives up."""


def parses(file: str) -> bool:
    """Return whether this Python can parse the file."""
    try:
        with warnings.catch_warnings():
            # Old escape sequences warn; they are no reason to leave a file out.
            warnings.simplefilter("ignore")
            ast.parse(Path(file).read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def main() -> None:
    """Check the files named in the order with the options named there."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    files = [file for file in order["files"] if parses(file)]
    left_out = sorted(set(order["files"]) - set(files))
    reports: list[dict[str, object]] = []
    problem = ""
    for _ in range(REFUSALS):
        if not files:
            break
        out, err, code = api.run([*order["options"], "--", *files])
        reports = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        if code in (0, 1):
            problem = ""
            break
        problem = err.strip() or (str(reports[0]["message"]) if reports else out.strip())
        refused = {str(report["file"]) for report in reports if report["severity"] == "error"} & set(files)
        reports = []
        if not refused:
            break
        left_out += sorted(refused)
        files = [file for file in files if file not in refused]
    json.dump({"reports": reports, "left_out": left_out, "problem": problem}, sys.stdout)


if __name__ == "__main__":
    main()
