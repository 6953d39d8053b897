"""mypy over named files: `check_types.py ORDER.json`, JSON on stdout.

mypy stops at the first file that it cannot place or parse, and then says nothing about the others. So
what it refuses is left out, with all else that does not parse, and the rest is checked again.
"""

import ast
import json
import os
import sys
import warnings
from pathlib import Path

from mypy import api

REFUSALS = 40
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


def check(options: list[str], files: list[str], left_out: list[str]) -> tuple[list[dict[str, object]], str]:
    """Return mypy's reports and its problem, if it has one; adds what it refuses to `left_out`."""
    problem = ""
    for _ in range(REFUSALS):
        if not files:
            return [], ""
        out, err, code = api.run([*options, "--", *files])
        reports = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        if code in (0, 1):
            return reports, ""
        problem = err.strip() or (str(reports[0]["message"]) if reports else out.strip()) or "no reason given"
        # It names files relative to the working directory where it can.
        named = {os.path.join(os.getcwd(), str(report["file"])) for report in reports}
        refused = named & set(files)
        if refused and not left_out:
            refused |= {file for file in files if not parses(file)}
        if not refused and "MYPYPATH" in os.environ:
            # A file of the repository bears the name of one that mypy itself builds upon. Without the
            # path nothing of the repository is found by import, and nothing is shadowed.
            del os.environ["MYPYPATH"]
        elif not refused:
            break
        left_out += sorted(refused)
        files = [file for file in files if file not in refused]
    return [], problem


def main() -> None:
    """Check the files named in the order with the options named there."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    left_out: list[str] = []
    reports, problem = check(order["options"], order["files"], left_out)
    json.dump({"reports": reports, "left_out": left_out, "problem": problem}, sys.stdout)


if __name__ == "__main__":
    main()
