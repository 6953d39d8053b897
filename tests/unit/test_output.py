"""Tables are plain and whole where nobody looks, and nothing in them acts on a terminal."""

import io
import sys

import pytest

from picoclaw.cli.printing.output import age, echo, echo_table, iso, safe, safe_lines

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


def test_a_piped_table_is_aligned_plain_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(("ID", "TEXT"), [("a", "x" * 500), ("long-id", "online")])

    assert capsys.readouterr().out.splitlines() == [
        "ID        TEXT",
        "a         " + "x" * 500,
        "long-id   online",
    ]


def test_square_brackets_are_text_and_wide_characters_keep_the_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    echo_table(("A", "B"), [("[red]x[/red]", "1"), ("検索", "2")])

    assert capsys.readouterr().out.splitlines()[1:] == ["[red]x[/red]   1", "検索           2"]


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(("A",), [], empty="nothing yet")

    assert capsys.readouterr().out == "nothing yet\n"


def test_an_output_that_cannot_carry_a_character_gets_a_question_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    echo("● online")
    sys.stdout.flush()

    assert raw.getvalue() == b"? online\n"


def test_foreign_text_loses_its_control_sequences() -> None:
    assert safe("a\x1b[31mb\nc\u202ed") == "a\ufffd[31mb c\ufffdd"
    assert safe_lines("# a\r\n\x1b]0;x\x07\tb") == "# a\n\ufffd]0;x\ufffd  b"
    assert len(safe("x" * 100, 10)) == 10


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (5.9, "5s"), (61, "1m"), (7260, "2h1m"), (90_000, "1d1h")]
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_times_for_programs_are_utc() -> None:
    assert iso(0.1234) == "1970-01-01T00:00:00.123Z"
