"""Columns: how wide each one of a table gets where its lines have to fit."""

from collections.abc import Sequence

GAP = 3
NARROW_GAP = 1
LAST = 12
"""Cells of the last column, which holds free text, below which the others give way as well."""
LEAST = 4
"""Cells that each column keeps; what does not fit then is cut at the edge."""


def fit(widths: Sequence[int], room: int) -> tuple[list[int], int]:
    """Return the widths that fit into `room` cells, and the gap between the columns.

    Free text in the last column gives way first, then the gaps, then the widest columns.
    """
    fitted = list(widths)

    def excess(gap: int) -> int:
        return sum(fitted) + gap * (len(fitted) - 1) - room

    fitted[-1] -= max(0, min(excess(GAP), fitted[-1] - LAST))
    if excess(GAP) <= 0:
        return fitted, GAP
    while excess(NARROW_GAP) > 0:
        widest = max(range(len(fitted)), key=fitted.__getitem__)
        if fitted[widest] <= LEAST:
            break
        fitted[widest] -= 1
    return fitted, NARROW_GAP
