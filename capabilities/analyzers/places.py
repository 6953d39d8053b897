"""Places: a tool's absolute path back to one relative to the repository, and a tool's line to its parts."""

import os
import re

from .survey import Survey


def relative(path: str, survey: Survey) -> str:
    """Return a path below the repository with forward slashes; one outside it is named by its end."""
    text = os.path.relpath(path, survey.root) if os.path.isabs(path) else path
    text = text.replace(os.sep, "/").removeprefix("./")
    return os.path.basename(path) if text.startswith("../") else text


LINE_NUMBER = re.compile(r":(\d+): ")


def split_line(text: str, survey: Survey) -> tuple[str, int, str] | None:
    """Return path, line and message of a tool's `path:line: message`, or None when it is none.

    A file's name may itself hold `:1: `; it is told by being a file that the tool was given.
    """
    for found in LINE_NUMBER.finditer(text):
        path = relative(text[: found.start()], survey)
        if path in survey.paths:
            return path, int(found[1]), text[found.end() :]
    return None
