"""interrogate over named files, by its library: `measure_docstrings.py FILES.json`, JSON on stdout.

Its command prints only a table. Here each file that parses has its figures.
"""

import ast
import json
import sys
import warnings
from pathlib import Path

from interrogate.config import InterrogateConfig
from interrogate.coverage import InterrogateCoverage

PUBLIC = InterrogateConfig(
    ignore_magic=True,
    ignore_private=True,
    ignore_semiprivate=True,
    ignore_init_method=True,
    ignore_nested_functions=True,
    ignore_nested_classes=True,
    ignore_overloaded_functions=True,
    ignore_property_decorators=True,
)
"""What a reader of the documentation would look for."""


def parses(file: str) -> bool:
    """Return whether this Python can parse the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(Path(file).read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def measure(files: list[str]) -> list[dict[str, object]]:
    """Return the figures of each file; raises SyntaxError or ValueError when one does not parse."""
    if not files:
        return []
    coverage = InterrogateCoverage(paths=files, conf=PUBLIC)
    # By default it excludes folders below each path given, which takes a square of the files' number.
    coverage.excluded = ()
    return [
        {"file": result.filename, "total": result.total, "covered": result.covered}
        for result in coverage.get_coverage().file_results
    ]


def main() -> None:
    """Measure the files named in the first argument's file."""
    files = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    unread: list[str] = []
    try:
        figures = measure(files)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # It stops at the first file that does not parse; most repositories have none.
        unread = [file for file in files if not parses(file)]
        figures = measure([file for file in files if file not in set(unread)])
    json.dump({"unread": unread, "files": figures}, sys.stdout)


if __name__ == "__main__":
    main()
