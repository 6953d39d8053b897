"""A table's columns fit the terminal, whatever its width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.cli.printing.columns import LEAST, fit
from picoclaw.cli.printing.output import cut

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]


def test_what_fits_stays_as_it_is() -> None:
    assert fit([10, 6, 20], 80) == ([10, 6, 20], 3)


def test_free_text_gives_way_first_then_the_gaps_then_the_widest() -> None:
    assert fit([10, 6, 100], 60) == ([10, 6, 38], 3)
    assert fit([10, 6, 100], 30) == ([10, 6, 12], 1)
    assert fit([24, 6, 100], 30) == ([11, 6, 11], 1)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12), st.integers(20, 200))
def test_lines_fit_unless_every_column_is_at_its_least(widths: list[int], room: int) -> None:
    fitted, gap = fit(widths, room)

    assert sum(fitted) + gap * (len(fitted) - 1) <= room or max(fitted) <= max(LEAST, 1)
    assert all(after <= before for after, before in zip(fitted, widths, strict=True))


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abc…"),
        ("検索語", 4, "検…"),
        ("abc", 0, ""),
        ("ab cd", 4, "ab…"),
    ],
)
def test_a_cut_text_says_so_and_never_takes_more_cells(text: str, room: int, shown: str) -> None:
    assert cut(text, room) == shown
