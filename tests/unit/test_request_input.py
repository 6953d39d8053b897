"""Text and input of a request, from arguments and files; each mistake is told before anything is sent."""

import os
import re
from pathlib import Path

import pytest

from picoclaw.cli.request.asked import read_asked, read_demand
from picoclaw.cli.request.options import Options
from picoclaw.cli.request.text_and_input import read_input, read_text
from picoclaw.errors import NameRefused, PlanError, UsageError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


def test_a_text_comes_from_one_place(tmp_path: Path) -> None:
    file = tmp_path / "request.md"
    file.write_bytes(b"\xef\xbb\xbfdo it\n")

    assert read_text("typed", None) == "typed"
    assert read_text(None, str(file)) == "do it\n"
    with pytest.raises(UsageError, match="given twice, as TEXT and by --file"):
        read_text("typed", str(file))
    with pytest.raises(UsageError, match="give TEXT, or --file FILE"):
        read_text(None, None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "--file .*missing cannot be read: No such file"),
        (".", "is a folder: name a file, or send it with --repo"),
        ("binary", r"is not valid UTF-8 \(byte 1\)"),
        ("large", "is larger than 32 MiB"),
        ("\0", "cannot be read: "),
        ("pipe", "cannot be read: it is a pipe, device or the like"),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, name: str, said: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"a\xff")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(33 << 20)

    with pytest.raises(UsageError, match=said):
        read_text(None, str(tmp_path / name))


def test_a_pipe_that_the_shell_has_opened_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"do it")
    os.close(writing)

    assert read_text(None, f"/dev/fd/{reading}") == "do it"
    os.close(reading)


def test_input_is_text_json_or_a_file_of_it(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text('["a", 1]')

    assert read_input(["a=1", "b:=1", f"c=@{file}", "d=x=y", "e=", 'f:={"g": null}']) == {
        "a": "1", "b": 1, "c": ["a", 1], "d": "x=y", "e": "", "f": {"g": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["novalue"], "write KEY=TEXT, KEY:=JSON or KEY=@FILE.json"),
        (["=x"], "write KEY=TEXT"),
        ([":=1"], "write KEY=TEXT"),
        (["text=x"], "is the request's text"),
        (["a=1", "a:=2"], "--input a is given twice"),
        (["a:=1,"], "--input a is not JSON: "),
        (["a:=NaN"], "NaN is no JSON"),
        (["a:=[1e999]"], "1e999 is too large a number"),
        (['a:="\\ud800"'], "\\ud800 is half a character"),
        (["a:=" + "[" * 100_000], "is not JSON"),
        (["a=@nosuch.json"], "--input a nosuch.json cannot be read"),
        (["a=@"], "the name of the file is empty"),
        (["a=\udcff"], "is not valid UTF-8"),
    ],
)
def test_input_that_is_none(pairs: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        read_input(pairs)


@pytest.mark.parametrize(
    ("given", "demand"),
    [
        ((None, None, []), (None, None)),
        (("Audit", None, []), ("security", None)),
        (("backup", None, ["site=berlin", "gpu=a"]), ("backup@gpu=a@site=berlin", None)),
        (("backup@gpu=a", None, ["site=berlin"]), ("backup@gpu=a@site=berlin", None)),
        ((None, "hand 1", []), ("node:hand 1", None)),
        (("audit", "hand", []), ("node:hand", "security")),
    ],
)
def test_where_and_what_make_one_demand(
    given: tuple[str | None, str | None, list[str]], demand: tuple[str | None, str | None]
) -> None:
    assert read_demand(*given) == demand


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((None, None, ["site=berlin"]), "not what they are to do: add a capability"),
        (("docs", "hand", ["site=berlin"]), "leave out the labels"),
        (("docs", None, ["site"]), "is not KEY=VALUE"),
        (("docs", None, ["=x"]), "empty"),
        (("docs", None, ["a=1", "a=2"]), "given twice, and no node has both"),
        (("docs", None, ["a=1@b"]), "separate"),
        (("docs+security", "hand", []), "give one capability"),
        (("coordination", "hand", []), "marks a role"),
        (("node:hand", None, []), "says where, not what is to be done: name the node hand as the node"),
        ((" node:hand", "hand", []), "says where, not what"),
        ((None, "\x1b", []), "control character"),
    ],
)
def test_what_does_not_go_together(given: tuple[str | None, str | None, list[str]], said: str) -> None:
    with pytest.raises((UsageError, NameRefused, PlanError), match=said):
        read_demand(*given)


def test_a_task_for_a_node_is_no_review_of_this_folder() -> None:
    told = read_asked("Review this repository", node="hand", inputs=["deep:=true"])
    asked = Options(max_attempts=1).onto(told)

    assert (asked.repo, asked.demand, asked.capability) == (None, "node:hand", None)
    assert (dict(asked.input), asked.max_attempts) == ({"deep": True}, 1)
