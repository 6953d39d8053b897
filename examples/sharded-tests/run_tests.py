"""Run test files with pytest and print what became of them as JSON: `run_tests.py FOLDER -- FILE…`."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

TESTS_FAILED, NO_TESTS = 1, 5
"""Exit codes of pytest that are results; other ones mean that it could not do its work."""


def main(folder: str, files: list[str]) -> int:
    """Return 0 when pytest could do its work, whatever the tests said."""
    with tempfile.TemporaryDirectory() as scratch:
        junit = Path(scratch, "junit.xml")
        # The folder is read-only: no caches and no compiled modules in it.
        command = [
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "addopts=",
            f"--junitxml={junit}",
            "--",
            *files,
        ]
        ran = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=sys.stderr,
            check=False,
        )
        if ran.returncode not in (0, TESTS_FAILED, NO_TESTS):
            return ran.returncode
        sys.stdout.write(json.dumps(counted(junit)))
    return 0


def counted(junit: Path) -> dict[str, object]:
    """Return the counts of a JUnit file, and the tests that did not pass."""
    cases = list(ElementTree.parse(junit).iter("testcase"))  # noqa: S314 - pytest wrote it
    failing = [case for case in cases if case.find("failure") is not None]
    broken = [case for case in cases if case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    return {
        "tests": len(cases),
        "passed": len(cases) - len(failing) - len(broken) - len(skipped),
        "failed": len(failing),
        "errors": len(broken),
        "skipped": len(skipped),
        "seconds": round(sum(float(case.get("time", 0)) for case in cases), 3),
        "failing": [f"{case.get('classname')}::{case.get('name')}" for case in [*failing, *broken]],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[3:]))
