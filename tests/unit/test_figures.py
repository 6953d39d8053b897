"""Figures that tests measure: noted where a file is named, told with median and worst."""

from pathlib import Path

import pytest

from picoclaw.tests.support.figures import VARIABLE, figure, record, row, table, tables

pytestmark = pytest.mark.unit


def test_figures_are_told_with_median_and_worst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figures.jsonl"
    monkeypatch.delenv(VARIABLE, raising=False)
    record("nobody asked", 1.0)
    assert table(path) == []
    monkeypatch.setenv(VARIABLE, str(path))
    for seconds in (1.0, 5.0, 2.0):
        record("kill -9 of a worker", seconds)
    record("lost", 0, "tasks")
    with pytest.raises(ZeroDivisionError), figure("what fails is not measured"):
        raise ZeroDivisionError
    with figure("a block"):
        pass
    lines = table(path)
    assert [line.split("  ")[0].strip() for line in lines] == ["a block", "kill -9 of a worker", "lost"]
    assert "3 x   median     2.00 s   worst     5.00 s" in lines[1]
    assert "worst     0.00 tasks" in lines[2]


def test_tables_stand_in_their_order_whoever_wrote_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "figures.jsonl"
    assert tables(path) == {}
    monkeypatch.setenv(VARIABLE, str(path))
    row("kills", {"killed": "after it", "asked": 3}, order=(0, 1))
    row("kills", {"killed": "before", "again": "no"}, order=(0, 0))
    record("a figure", 1.0)
    assert tables(path) == {
        "kills": [
            "| killed   | again | asked |",
            "|----------|-------|-------|",
            "| before   | no    |       |",
            "| after it |       | 3     |",
        ]
    }
    assert len(table(path)) == 1
