"""Places: a tool's absolute path back to one relative to the repository."""

import os

from .survey import Survey


def relative(path: str, survey: Survey) -> str:
    """Return a path below the repository with forward slashes; one outside it is named by its end."""
    text = os.path.relpath(path, survey.root) if os.path.isabs(path) else path
    text = text.replace(os.sep, "/").removeprefix("./")
    return os.path.basename(path) if text.startswith("../") else text
