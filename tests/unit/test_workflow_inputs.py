"""The inputs of a workflow from a command line: types, files by pattern, repositories, and what is refused."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from picoclaw.cli.workflows.folder_files import FolderFiles
from picoclaw.cli.workflows.given import read_inputs, read_pairs
from picoclaw.errors import UsageError
from picoclaw.roles.planning.template import read_template
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

TEMPLATE = read_template(
    """
name: own
inputs:
  note: {}
  number: {type: number}
  flag: {type: flag}
  list: {type: list}
  files: {type: files}
  repositories: {type: repositories}
tasks: [{step: a, demand: code}]
""",
    "own.yaml",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some files, in which the command is."""
    made = make_repository(
        tmp_path / "project",
        {
            "a.py": "1",
            "tests/test_a.py": "1",
            "tests/deep/test_b.py": "1",
            "docs/a.md": "1",
            ".venv/x.py": "1",
        },
    )
    monkeypatch.chdir(tmp_path)
    return made


def read(*pairs: str, repo: str = "project") -> dict[str, JsonValue]:
    return read_inputs(TEMPLATE, read_pairs(pairs), FolderFiles(repo))[0]


def repositories(*pairs: str) -> list[str]:
    return read_inputs(TEMPLATE, read_pairs(pairs), FolderFiles("."))[1]["repositories"]


def refusal(*pairs: str, repo: str = "project") -> str:
    with pytest.raises(UsageError) as caught:
        read(*pairs, repo=repo)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_type_reads_its_values(folder: Path) -> None:
    (folder.parent / "note.txt").write_text("two\nlines\n")
    (folder.parent / "list.txt").write_text("# some\none\n\n two \n")
    (folder.parent / "list.json").write_text('[1, {"a": 2}]')
    assert read("note=a=b", "number=-2", "flag=yes", "list=a,b") == {
        "note": "a=b", "number": -2, "flag": True, "list": ["a,b"],
    }  # fmt: skip
    assert read("note=@note.txt", "number=1.5", "flag=false", "list=@list.txt") == {
        "note": "two\nlines", "number": 1.5, "flag": False, "list": ["one", "two"],
    }  # fmt: skip
    assert read("list=a", "list=b")["list"] == ["a", "b"]
    assert read('list=["a", 1]')["list"] == ["a", 1]
    assert read("list=@list.json")["list"] == [1, {"a": 2}]
    assert read('list:=[{"a": 1}]')["list"] == [{"a": 1}]
    assert read("number:=3")["number"] == 3
    assert read("note=@@home")["note"] == "@home"
    assert read() == {}


@pytest.mark.parametrize(
    ("patterns", "files"),
    [
        (["test_*.py"], ["tests/deep/test_b.py", "tests/test_a.py"]),
        (["tests/*.py"], ["tests/test_a.py"]),
        (["tests/**/*.py"], ["tests/deep/test_b.py", "tests/test_a.py"]),
        (["tests/"], ["tests/deep/test_b.py", "tests/test_a.py"]),
        (["./a.py"], ["a.py"]),
        (["[!t]*.py", "docs/?.md"], ["a.py", "docs/a.md"]),
        (["**"], ["a.py", "docs/a.md", "tests/deep/test_b.py", "tests/test_a.py"]),
    ],
)
def test_patterns_name_files_of_the_folder(folder: Path, patterns: list[str], files: list[str]) -> None:
    assert read(*(f"files={pattern}" for pattern in patterns))["files"] == files


@pytest.mark.parametrize("required", [True, False])
def test_where_no_file_fits_the_declared_pattern_only_one_that_is_required_is_a_mistake(
    folder: Path, required: bool
) -> None:
    template = read_template(
        f"name: a\ninputs: {{f: {{type: files, pattern: '*.rs', required: {required}}}}}\n"
        "tasks: [{step: a, demand: code}]",
        "a.yaml",
    )
    if required:
        with pytest.raises(UsageError, match=r"no file of project fits '\*\.rs'"):
            read_inputs(template, {}, FolderFiles("project"))
    else:
        assert read_inputs(template, {}, FolderFiles("project"))[0] == {"f": []}


def test_in_a_work_tree_ignored_files_are_not_there(folder: Path) -> None:
    make_repository(folder, {".gitignore": "docs/\n"}, git=True)
    (folder / "new.py").write_text("1")
    assert read("files=**")["files"] == [
        ".gitignore", ".venv/x.py", "a.py", "new.py", "tests/deep/test_b.py", "tests/test_a.py"
    ]  # fmt: skip


def test_repositories_are_folders_urls_and_patterns_and_those_of_a_file_are_relative_to_it(
    folder: Path,
) -> None:
    for name in ("x", "y"):
        make_repository(folder.parent / "many" / name, {"a": "1"})
    (folder.parent / "many" / "list.txt").write_text("x\nhttps://example.org/a.git\n")
    assert repositories("repositories=project") == ["project"]
    assert repositories("repositories=many/*") == ["many/x", "many/y"]
    assert repositories("repositories=@many/list.txt") == ["many/x", "https://example.org/a.git"]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["note"], "'note' is not NAME=VALUE"),
        (["=x"], "'=x' is not NAME=VALUE"),
        (["nope=1"], "has no input 'nope'; did you mean 'note'?"),
        (["number=many"], "number='many' is no number"),
        (["number=nan"], "is no number"),
        (["number=1", "number=2"], "is given 2 times, and is number"),
        (["flag=maybe"], "is neither true nor false"),
        (["note=@none.txt"], "file none.txt cannot be read (No such file or directory)"),
        (["note=@."], "cannot be read (Is a directory)"),
        (["note=@~nobody-at-all/x"], "~nobody-at-all/x: that user has no home here"),
        (["list=[1"], "--input list is not valid JSON"),
        (["list:=NaN"], "--input list is not valid JSON"),
        (["note:=null"], "is null: leave it out"),
        (["list=a", "list:=[1]"], "given twice, once as JSON"),
        (["files:=[]"], "is a list of files: give one --input for each"),
        (["files=*.rs"], "no file of project fits '*.rs'"),
        (["files=/etc/passwd"], "is no path below the repository"),
        (["files=../x"], "is no path below the repository"),
        (["files=[z-a].py"], "is no pattern"),
        (["repositories=none"], "none does not exist"),
        (["repositories=none/*"], "no folder fits none/*"),
        (["repositories="], "is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(folder: Path, pairs: list[str], message: str) -> None:
    assert message in refusal(*pairs)


def test_a_list_of_files_of_a_url_is_refused_with_what_to_do() -> None:
    said = refusal("files=*.py", repo="https://example.org/a.git")
    assert "is a URL: clone it, and give the folder with --repo" in said


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder.parent / "binary").write_bytes(os.urandom(64) + b"\xff")
    assert "is not UTF-8 text" in refusal("note=@binary")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30))
def test_any_pattern_is_used_or_refused_in_one_line(pattern: str) -> None:
    class Listed(FolderFiles):
        paths = ("a.py", "tests/b.py")

    said = ""
    try:
        Listed(".").fitting([pattern], "--input files")
    except UsageError as error:
        said = str(error)
    assert "\n" not in said
