"""Places: files and lines that a text names, held against the repository. Pure."""

import re
from collections.abc import Callable, Collection, Sequence

from ...languages import language_of

LinesOf = Callable[[str], Sequence[str] | None]
"""The lines of a file of the repository by its path; None where there is no such text file."""

_PATH = r"(?P<path>(?:[\w.+-]+/)*[\w.+-]*\w\.[A-Za-z]\w{0,9})"
_NAMED = (
    re.compile(rf"(?<![\w/.:@-])`?{_PATH}(?::|`?,? \(?(?:at |on )?lines? |#L)(?P<line>\d{{1,9}})\b"),
    re.compile(rf"\blines? (?P<line>\d{{1,9}}) (?:of|in) `?{_PATH}(?!\w)", re.IGNORECASE),
)
NOWHERE = "(a place that there is not)"


def strike_places(text: str, lines_of: LinesOf, paths: Collection[str]) -> tuple[str, int]:
    """Return a text without the lines that it names and that there are not, and how many those were.

    A file may be named by the end of its path. Of a file alone nothing is said: a review may ask for one that
    is yet to be written.
    """
    struck = 0

    def look_up(match: re.Match[str]) -> str:
        nonlocal struck
        path, line = match["path"].removeprefix("./"), int(match["line"])
        if not language_of(path):
            return match[0]  # an address of the network, a version
        meant = [one for one in paths if one == path or one.endswith(f"/{path}")]
        if any(1 <= line <= len(lines_of(one) or ()) for one in meant):
            return match[0]
        struck += 1
        return NOWHERE

    for pattern in _NAMED:
        text = pattern.sub(look_up, text)
    return text, struck
