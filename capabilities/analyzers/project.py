"""What a project says about itself in pyproject.toml, read as data and through an allow-list.

Nothing here can load a plugin or hide a finding: only the Python version, the line length and the
taste in quotes are taken over, so that a project is not blamed for its own declared style.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .survey import MAX_FILE

OLDEST, NEWEST = (3, 7), (3, 14)
DEFAULT_LINE_LENGTH = 88


@dataclass(frozen=True, slots=True)
class Project:
    """The declared style of a Python project."""

    python: tuple[int, int] | None = None
    """The oldest version that it supports."""
    line_length: int = DEFAULT_LINE_LENGTH
    formatted: bool = False
    """It declares a formatter (ruff or black), so a file that differs from it is worth a word."""
    format_options: tuple[tuple[str, str], ...] = ()
    """Options of `ruff format`, name and TOML value."""


def read_project(root: Path) -> Project:
    """Read `pyproject.toml`; a missing, broken or huge one counts as one that says nothing."""
    try:
        file = root / "pyproject.toml"
        if file.is_symlink() or file.stat().st_size > MAX_FILE:
            return Project()
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Project()
    tool = _table(data, "tool")
    ruff, black = _table(tool, "ruff"), _table(tool, "black")
    style = _table(ruff, "format")
    return Project(
        python=_oldest(_table(data, "project").get("requires-python")),
        line_length=_line_length(ruff.get("line-length"), black.get("line-length")),
        formatted=bool(ruff or black),
        format_options=tuple(
            (name, f'"{style[name]}"') for name in ("quote-style", "indent-style") if _word(style.get(name))
        ),
    )


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _word(value: object) -> bool:
    return value in ("single", "double", "preserve", "space", "tab")


def _line_length(*candidates: object) -> int:
    for value in candidates:
        if isinstance(value, int) and 40 <= value <= 320:
            return value
    return DEFAULT_LINE_LENGTH


def _oldest(requires: object) -> tuple[int, int] | None:
    if not isinstance(requires, str):
        return None
    if (found := re.search(r"(?:>=|~=|==)\s*3\.(\d{1,2})", requires)) is None:
        return None
    version = (3, int(found[1]))
    return version if OLDEST <= version <= NEWEST else None
