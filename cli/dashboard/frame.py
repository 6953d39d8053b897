"""The panel as a frame of a terminal's size: never wrapped, never longer than the screen. Pure."""

import re
import textwrap
from collections.abc import Sequence

from ...swarm.views.dashboard import Panel
from .panel import HEADER, LONGEST_NAME, Paint, plain, sections

TITLE = "PicoClaw Swarm Status Dashboard"
"""Stands for the header's box where there is no room for it."""
ENOUGH_NODES = 5
"""Rows of nodes that are worth more than the header's box."""
FOOT = 3
"""Lines that the words at the bottom may take."""
BESIDE_NAME = 42
"""Cells of a node's row besides its name."""
SHORTEST_NAME = 12

_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_RESET = "\x1b[0m"

_ASCII = str.maketrans(
    {
        **dict.fromkeys("═", "="), **dict.fromkeys("║", "|"), **dict.fromkeys("╔╗╚╝", "+"),
        "【": "[", "】": "]", "█": "#", "░": "-", "●": "*", "◐": "?", "◌": "~", "○": "o",
        "✓": "+", "✗": "x", "…": "~", "📋": "", "⚙": "", "️": "", "🔧": "",
    }
)  # fmt: skip


def frame(
    panel: Panel,
    columns: int,
    lines: int,
    *,
    foot: str = "",
    paint: Paint = plain,
    none_here: str = "",
) -> list[str]:
    """Return at most `lines` lines of at most `columns` cells, with `foot` on the last ones.

    Where not every node fits, the empty lines go first, then the header's box, then the nodes that
    are over, which are counted.
    """
    longest = max(SHORTEST_NAME, min(LONGEST_NAME, columns - BESIDE_NAME))
    header, this, *further, nodes = sections(
        panel, paint=paint, none_here=_indented(none_here, columns), longest_name=longest
    )
    middle = [[line for text in this for line in text.split("\n")], *further]
    title, *rows = nodes
    bottom = textwrap.wrap(foot, max(columns, 2), max_lines=FOOT, placeholder="…")
    room = lines - len(bottom)
    fixed = sum(map(len, middle)) + 1
    wide = columns >= len(HEADER[0])
    for box, gap in ((wide, 1), (wide, 0), (False, 0)):
        head = header if box else [TITLE]
        left = room - len(head) - fixed - gap * (len(middle) + 1)
        if left >= len(rows) or (gap == 0 and left >= ENOUGH_NODES):
            break
    parts = [head, *middle, [title, *_first(rows, left)]]
    body = [line for part in parts for line in [*part, *[""] * gap]][: max(room, 0)]
    body += [""] * (room - len(body))
    return [cut(line, columns) for line in [*body, *bottom]][: max(lines, 0)]


def _indented(text: str, columns: int) -> str:
    return "\n  ".join(textwrap.wrap(text, max(columns - 2, SHORTEST_NAME)))


def _first(rows: Sequence[str], room: int) -> list[str]:
    if len(rows) <= room:
        return list(rows)
    shown = rows[: max(room - 1, 0)]
    return [*shown, f"  … and {len(rows) - len(shown)} more"]


def cut(line: str, columns: int) -> str:
    """Return the line in at most `columns` cells, with … where it was longer; colours are kept."""
    from rich.cells import cell_len, chop_cells

    if cell_len(_COLOUR.sub("", line)) <= columns:
        return line
    left = max(columns - 1, 0)
    kept: list[str] = []
    coloured = False
    for piece in _COLOUR.split(line):
        if _COLOUR.fullmatch(piece):
            kept.append(piece)
            coloured = piece != _RESET
        elif cell_len(piece) <= left:
            kept.append(piece)
            left -= cell_len(piece)
        else:
            kept.append(chop_cells(piece, left)[0] if left else "")
            break
    return "".join(kept) + ("…" if columns > 0 else "") + (_RESET if coloured else "")


def for_encoding(text: str, encoding: str) -> str:
    """Return the text in what an encoding can carry, with the nearest signs where it lacks one."""
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
    return text
