"""The survey: what the tools are handed, and what they are not and why."""

import os
from pathlib import Path

import pytest

from picoclaw.capabilities.analyzers import survey as module
from picoclaw.capabilities.analyzers.survey import survey
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def paths(folder: Path) -> list[str]:
    return [file.path for file in survey(folder).files]


def test_text_files_are_listed_with_their_language(tmp_path: Path) -> None:
    seen = survey(
        make_repository(tmp_path / "r", {"a.py": "x\n", "b/c.rs": "x\n", "README.md": "#\n", "x": "y\n"})
    )
    assert {file.path: file.language for file in seen.files} == {
        "README.md": "markdown", "a.py": "python", "b/c.rs": "rust", "x": "",
    }  # fmt: skip
    assert seen.languages() == {"markdown": 1, "python": 1, "rust": 1}
    assert seen.notes == ()


def test_a_binary_file_is_not_read(tmp_path: Path) -> None:
    seen = survey(make_repository(tmp_path / "r", {"a.py": b"\0\0", "b.png": b"\0", "c.py": "x\n"}))
    assert [file.path for file in seen.files] == ["c.py"]
    assert seen.notes == ("binary in spite of its name, not read: a.py",)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    seen = survey(make_repository(tmp_path / "r", {"a.py": "x = 1\n" * 200_000, "b.py": "x\n"}))
    assert [file.path for file in seen.files] == ["b.py"]
    assert seen.notes == ("larger than 1 MB, not read: a.py",)


def test_broken_encodings_are_named_with_their_line(tmp_path: Path) -> None:
    seen = survey(
        make_repository(
            tmp_path / "r",
            {
                "bad.py": b"x = 1\ny = '\xff\xfe'\n",
                "latin.py": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
                "utf16.txt": "text".encode("utf-16"),
                "notes.txt": b"caf\xe9\n",
                "bom.py": b"\xef\xbb\xbfx = 1\n",
            },
        )
    )
    assert [file.path for file in seen.files] == ["bom.py"]
    assert [(path, line) for path, line, _ in seen.broken] == [("bad.py", 2), ("latin.py", 2)]
    assert "0xff" in seen.broken[0][2]
    assert "iso-8859-1" in seen.broken[1][2]
    assert "not valid UTF-8 text, not read: bad.py, latin.py, notes.txt" in seen.notes


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = make_repository(tmp_path / "outside", {"secret.py": "x\n"})
    folder = make_repository(tmp_path / "r", {"a.py": "x\n", "sub/b.py": "x\n"})
    (folder / "inner.py").symlink_to("a.py")
    (folder / "again").symlink_to("sub")
    (folder / "out.py").symlink_to(outside / "secret.py")
    (folder / "outfolder").symlink_to(outside)
    (folder / "loop").symlink_to("loop")
    seen = survey(folder)
    assert [file.path for file in seen.files] == ["a.py", "sub/b.py"]
    assert seen.links == ("again", "inner.py")
    assert "links that point outside the repository were not followed: out.py, outfolder" in seen.notes


def test_pipes_are_not_opened(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a.py": "x\n"})
    os.mkfifo(folder / "b.py")
    seen = survey(folder)
    assert [file.path for file in seen.files] == ["a.py"]
    assert seen.notes == ("not a regular file, not read: b.py",)


def test_unreadable_files_are_named(unprivileged: Path) -> None:
    folder = make_repository(unprivileged / "r", {"a.py": "x\n", "b.py": "x\n", "c/d.py": "x\n"})
    (folder / "b.py").chmod(0)
    (folder / "c").chmod(0)
    try:
        seen = survey(folder)
    finally:
        (folder / "c").chmod(0o700)
    assert [file.path for file in seen.files] == ["a.py"]
    assert seen.notes == ("not readable: c, b.py",)


def test_a_name_that_is_no_text_is_noted_and_kept_from_the_tools(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a.py": "x\n", "b\nc.py": "x\n"})
    seen = survey(folder)
    assert [file.path for file in seen.files] == ["a.py"]
    assert all("\n" not in note for note in seen.notes)


def test_a_note_names_a_few_and_counts_the_rest(tmp_path: Path) -> None:
    seen = survey(make_repository(tmp_path / "r", {f"{n}.py": b"\0" for n in range(9)}))
    assert seen.notes == ("binary in spite of its name, not read: 0.py, 1.py, 2.py, 3.py, 4.py and 4 more",)


def test_beyond_its_limit_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 3)
    seen = survey(make_repository(tmp_path / "r", {f"{n}.py": "x\n" for n in range(5)}))
    assert len(seen.files) == 3
    assert seen.notes == ("only the first 3 files were read; beyond them: 3.py",)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/test_a.py", True), ("test_a.py", True), ("a_test.py", True), ("tests/helper.py", True),
        ("conftest.py", True), ("src/a.py", False), ("contest.py", False), ("attest/a.py", False),
    ],
)  # fmt: skip
def test_tests_are_told_by_their_names(tmp_path: Path, path: str, expected: bool) -> None:
    assert survey(make_repository(tmp_path / "r", {path: "x\n"})).files[0].is_test is expected
