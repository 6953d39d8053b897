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


def main() -> None:
    """Measure the files named in the first argument's file."""
    files = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    good = [file for file in files if parses(file)]
    coverage = InterrogateCoverage(paths=good, conf=PUBLIC)
    # By default it excludes folders below each path given, which takes a square of the files' number.
    coverage.excluded = ()
    results = coverage.get_coverage() if good else None
    json.dump(
        {
            "unread": [file for file in files if file not in good],
            "files": [
                {"file": result.filename, "total": result.total, "covered": result.covered}
                for result in (results.file_results if results else [])
            ],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
