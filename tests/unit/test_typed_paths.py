"""Paths as somebody types them: what is no path is told in a line, before anything is done."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from picoclaw.cli.errors import guarded
from picoclaw.cli.request.typed_path import typed_path
from picoclaw.cli.result.report_file import check_writable
from picoclaw.cli.result.saved_artifacts import check_target
from picoclaw.config.load import load
from picoclaw.errors import ConfigError, UsageError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

ENDLESS = "x" * 5000


@pytest.mark.parametrize(
    "check",
    [lambda: check_writable(Path(ENDLESS), "--output"), lambda: check_target(Path(ENDLESS))],
    ids=["--output", "--artifacts"],
)
def test_a_name_that_no_disk_takes_is_refused(check: Callable[[], None]) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        check()


@pytest.mark.parametrize("flag", ["capabilities.path", "workflows.path"])
def test_a_setting_with_a_name_that_no_disk_takes_is_refused(flag: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="File name too long"):
        load({flag: ENDLESS}, {}, file=None, home=tmp_path)


def test_the_home_of_nobody_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert typed_path("~/a") == tmp_path / "a"
    with pytest.raises(UsageError, match="~nobody-at-all/a: that user has no home here"):
        typed_path("~nobody-at-all/a")


def test_a_command_in_a_folder_that_is_gone_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert guarded(lambda: check_writable(Path("report.md"), "--output")) == 2
    assert "was started is gone: `cd` to another one" in capsys.readouterr().err


def test_a_file_that_a_bug_does_not_find_keeps_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        guarded(lambda: os.stat("nothing"))
