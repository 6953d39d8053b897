"""What a child says: its output within limits, its progress, its last words, its secrets masked."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.child.mask import Mask, mask_for
from picoclaw.capabilities.child.output import Captured
from picoclaw.capabilities.child.progress import Progress, read_progress
from picoclaw.capabilities.child.words import LOG, WORDS, last_words, log_of

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

NOTHING = Mask()


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_output_is_kept_whole_and_shown_within_its_limit(chunks: list[bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        captured = Captured(keep=50, cap=200, spool=Path(folder, "out"))
        for chunk in chunks:
            captured.take(chunk)
        captured.close()
        printed = b"".join(chunks)
        assert captured.read() == printed[:200]
        assert captured.size == min(len(printed), 200)
        assert captured.over == (len(printed) > 200)
        assert captured.whole == (len(printed) <= 50)
        if captured.whole:
            assert captured.shown == printed
        else:
            assert captured.shown[:25] == printed[:25]
            assert captured.shown[-25:] == printed[:200][-25:]
            assert f"{captured.size - 50} bytes left out".encode() in captured.shown


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_of_errors_the_end_is_kept(chunks: list[bytes]) -> None:
    captured = Captured(keep=50, cap=500)
    assert all(captured.take(chunk) for chunk in chunks)
    assert captured.shown == b"".join(chunks)[-50:]


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        (b"half way\n", Progress("half way")),
        (b"40% of files", Progress("of files", 0.4)),
        (b" 12.5 %", Progress("", 0.125)),
        (b"400% sure", Progress("sure")),
        (b'{"message": "x", "fraction": 0.5}', Progress("x", 0.5)),
        (b'{"message": "x", "fraction": "half"}', Progress("x")),
        (b'{"fraction": NaN}', Progress("")),
        (b"{broken", Progress("{broken")),
        (b"  \n", None),
        (b"\xff", Progress("\ufffd")),
    ],
)
def test_progress_is_text_per_cent_or_json(line: bytes, progress: Progress | None) -> None:
    assert read_progress(line) == progress


@given(st.binary(max_size=200))
def test_any_line_is_progress_or_nothing(line: bytes) -> None:
    found = read_progress(line)
    assert found is None or found.fraction is None or 0 <= found.fraction <= 1


def test_the_last_words_are_those_of_the_first_stream_that_says_anything() -> None:
    assert last_words(NOTHING, b" \n", b"a\nb\n\nc\nd\n") == "b / c / d"
    assert last_words(NOTHING, b"why\n", b"out") == "why"
    assert last_words(NOTHING, b"", b"") == "it said nothing"
    assert len(last_words(NOTHING, b"x" * 9999)) == WORDS + 1
    assert log_of(NOTHING, b" \n") is None
    assert len(log_of(NOTHING, b"x" * 9999) or "") == LOG + 1


def test_repeated_last_words_are_counted_and_a_flood_of_nothing_is_no_text() -> None:
    assert last_words(NOTHING, b"why\n" + b"again\n" * 900 + b"end\n") == "why / again (900 times) / end"
    assert last_words(NOTHING, b"\0" * 65536) == "what it said is no text"
    assert log_of(NOTHING, b"\0" * 65536) is None


def test_only_what_is_called_a_secret_is_masked() -> None:
    mask = mask_for({"API_KEY": "swordfish", "MODE": "production", "TOKEN": "abc", "PASSWORD": "swordfish2"})

    assert mask.secrets == ("swordfish2", "swordfish")
    assert mask.text("a swordfish2 in production: abc, swordfish") == "a *** in production: abc, ***"
    assert mask.data(b"swordfish\xff") == b"***\xff"
    assert mask.value({"swordfish": ["x swordfish", 1, None]}) == {"***": ["x ***", 1, None]}


@given(st.text(min_size=6), st.text(), st.text())
def test_a_secret_never_comes_through(secret: str, before: str, after: str) -> None:
    masked = mask_for({"SECRET": secret}).text(before + secret + after)
    if secret not in before + "***" + after:
        assert secret not in masked
    assert json.dumps(masked)
