"""The user's workflow files: which are read, which go before which, and what a wrong one is told."""

import os
from pathlib import Path

import pytest

from picoclaw.errors import PlanError
from picoclaw.roles.planning.template import shipped_templates
from picoclaw.roles.workflow_files import load_templates, read_workflow, read_workflows

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]


def write(folder: Path, name: str, text: str | bytes | None = None) -> Path:
    path = folder / name
    body = text if text is not None else f"name: {path.stem}\ntasks: [{{step: a, demand: code}}]\n"
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return path


def test_the_users_come_first_by_file_name_and_one_of_the_same_name_replaces_a_shipped_one(
    tmp_path: Path,
) -> None:
    write(tmp_path, "b.yaml")
    write(tmp_path, "a.yml")
    write(tmp_path, "code-review.yaml")
    write(tmp_path, ".hidden.yaml", "[")
    write(tmp_path, "notes.txt", "[")

    found = load_templates([tmp_path])

    assert [template.name for template in found] == ["a", "b", "code-review"]
    assert found[-1] != shipped_templates()[0]


def test_a_folder_that_is_not_there_means_none_and_files_can_be_named_one_by_one(tmp_path: Path) -> None:
    own = write(tmp_path, "own.yaml")
    assert load_templates([tmp_path / "none"]) == shipped_templates()
    assert [file.path for file in read_workflows([own, tmp_path])] == [own]


def test_one_name_in_two_files_is_refused_and_both_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "name: same\ntasks: [{step: a, demand: code}]")
    write(tmp_path, "b.yaml", "name: same\ntasks: [{step: a, demand: code}]")
    with pytest.raises(PlanError, match=r"b\.yaml: 'same' is also the name of .*a\.yaml: rename one of them"):
        load_templates([tmp_path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * (10 * 2**20), "is over 1 MiB"),
        (b"name: [", "is not valid YAML: line "),
        (b"", "is not a mapping"),
        (
            b"name: a\ntasks: [{step: a, demnad: code}]",
            "line 2: unknown key tasks.0.demnad; did you mean 'demand'?",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path, "wrong.yaml", content)
    with pytest.raises(PlanError) as caught:
        load_templates([tmp_path])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_a_pipe_and_nothing_at_all_are_no_workflow_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path, message in (
        (folder, "is a folder"),
        (pipe, "it is a pipe, device or the like"),
        (tmp_path / "no.yaml", "is not there"),
    ):
        with pytest.raises(PlanError, match=message):
            read_workflow(path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", b"\xef\xbb\xbfname: a\ntasks: [{step: a, demand: code}]")
    assert read_workflow(path).name == "a"


def test_a_folder_of_thousands_of_files_is_not_the_right_one(tmp_path: Path) -> None:
    for number in range(1001):
        (tmp_path / f"{number}.yaml").touch()
    with pytest.raises(PlanError, match="1,001 workflow files are over 1,000"):
        load_templates([tmp_path])
