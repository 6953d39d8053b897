"""`--sarif FILE`: a code review in the form that code scanning services take."""

import json
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..printing.output import echo
from .report_file import check_writable

STDOUT = "-"


def check_sarif(file: str | None, *, as_json: bool) -> None:
    """Raise UsageError for a file that could not be written at the end, or two reports for stdout."""
    if file is None:
        return
    if not file.strip():
        raise UsageError("--sarif is empty: name a file, or - for stdout")
    if file != STDOUT:
        check_writable(Path(file), "--sarif")
    elif as_json:
        raise UsageError("--json and --sarif - both want stdout: give --sarif a file")


def write_sarif(report_data: Any, file: str) -> None:
    """Write the SARIF of a report's JSON; raises UsageError when it is of no code review, OSError."""
    from ...roles.synthesis.sarif import to_sarif
    from .. import __version__

    _write(to_sarif(report_data, __version__), file)


def write_empty_sarif(file: str) -> None:
    """Write the SARIF of a review that had nothing to look at."""
    from ...roles.synthesis.sarif import nothing_changed
    from .. import __version__

    _write(nothing_changed(__version__), file)


def _write(log: dict[str, Any], file: str) -> None:
    # ASCII only, so nothing in it can act on a terminal.
    text = json.dumps(log, indent=1)
    if file == STDOUT:
        echo(text)
    else:
        Path(file).write_text(text + "\n", encoding="utf-8")
