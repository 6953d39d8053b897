"""Searching files for a pattern: run in a process of its own, which can be ended, as no thread can; blocking."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from .confined import PathRefused, shown
from .patterns import PathPattern, PatternRefused
from .walking import Found, walk

LINE = 400
"""Characters of a line that are shown."""
LARGEST = 32 * 2**20
"""Bytes of a file that is searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for."""

    pattern: str
    path: str = "."
    files: str = ""
    """Pattern of the paths to search; empty: all."""
    ignore_case: bool = False
    context: int = 0
    most: int = 200
    """Lines that fit."""


def search(root: Path, order: Search) -> str:
    """Return the lines that fit, as `path:number:text`. Raises PathRefused, and PatternRefused."""
    try:
        pattern = re.compile(order.pattern, re.IGNORECASE if order.ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternRefused(
            f"{order.pattern[:100]!r} is no regular expression ({error}): escape what is meant as it is, as in \\("
        ) from None
    wanted = PathPattern(order.files) if order.files else None
    base = os.path.normpath(order.path)
    lines: list[str] = []
    count = passed_by = 0
    for file in walk(root, order.path):
        if wanted is not None and not wanted.fits(file.path or file.name):
            continue
        data = _text(file)
        if data is None:
            passed_by += 1
            continue
        name = os.path.normpath(os.path.join(base, file.path))
        found = _in_file(shown(name), data, pattern, order, order.most - count)
        count += sum(1 for _, fits in found if fits)
        lines += [line for line, _ in found]
        if count >= order.most:
            lines.append(f"[over {order.most} lines fit: give a narrower pattern, path or glob]")
            break
    if not count:
        note = f" ({passed_by} binary or very large files were not searched)" if passed_by else ""
        return f"no line fits{note}"
    return "\n".join(lines)


def _text(file: Found) -> str | None:
    """Return a file's text; None for what is none, too large or gone."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(file.name, flags, dir_fd=file.folder)
    except OSError:
        return None
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return None
        head = opened.read(8192)
        if b"\0" in head:
            return None
        return (head + opened.read(LARGEST)).decode("utf-8", "replace")


def _in_file(
    name: str, text: str, pattern: re.Pattern[str], order: Search, most: int
) -> list[tuple[str, bool]]:
    """Return the lines that fit and those around them, each with whether it fits itself."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if not lines[-1]:
        lines.pop()
    fits = []
    for number, line in enumerate(lines):
        if pattern.search(line):
            fits.append(number)
            if len(fits) >= most:
                break
    shown_lines: dict[int, bool] = {}
    for number in fits:
        for near in range(max(0, number - order.context), min(len(lines), number + order.context + 1)):
            shown_lines.setdefault(near, False)
        shown_lines[number] = True
    found: list[tuple[str, bool]] = []
    before = None
    for number in sorted(shown_lines):
        if order.context and before is not None and number > before + 1:
            found.append(("--", False))
        mark = ":" if shown_lines[number] else "-"
        line = lines[number]
        text = line if len(line) <= LINE else f"{line[:LINE]}… [{len(line) - LINE:,} characters more]"
        found.append((f"{name}{mark}{number + 1}{mark}{text}", shown_lines[number]))
        before = number
    return found


__all__ = ["PathRefused", "PatternRefused", "Search", "search"]
