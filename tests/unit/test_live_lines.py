"""What an agent says, as a watcher sees it: a line at a time, whatever pieces it comes in."""

import pytest

from picoclaw.cli.printing.live import LiveLines
from picoclaw.swarm.submission import Progress, Said

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line[9:] for line in capsys.readouterr().err.splitlines()]


def test_pieces_become_lines_and_the_rest_comes_with_what_follows(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LiveLines()
    for piece in ("I lo", "ok at\n\nthe fi", "le"):
        lines.show(Said("code", "w1", piece))
    assert shown(capsys) == ["code       │ I look at"]
    lines.show(Said("docs", "w2", "Other\n"))
    lines.show(Progress("code", "w1", "uses read", None))
    assert shown(capsys) == ["docs       │ Other", "code       │ the file", "code       uses read"]


def test_a_long_line_is_broken_between_words_and_one_long_word_anywhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = LiveLines()
    lines.show(Said("code", "w1", "word " * 50 + "x" * 250 + "\x1b[31m\n"))
    told = [line.removeprefix("code       │ ") for line in shown(capsys)]
    assert all(len(line) <= 100 for line in told)
    assert " ".join(told).count("word") == 50
    assert "".join(told).count("x") == 250
    assert "\x1b" not in "".join(told)


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LiveLines(quiet=True)
    lines.show(Said("code", "w1", "I look\n"))
    assert shown(capsys) == []
