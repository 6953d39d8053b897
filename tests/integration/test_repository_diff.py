"""The lines of a change, from real git repositories: what a pull request shows, and what is refused."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.capabilities.change import Change
from picoclaw.capabilities.repository.diff import read_change
from picoclaw.errors import PicoclawError
from picoclaw.tests.support.git_daemon import listening_port
from picoclaw.tests.support.repositories import make_repository, run_git
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

LINES = "".join(f"line {number}\n" for number in range(1, 21))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A branch `main`, and a branch `work` that parted from it and changed each kind of thing."""
    folder = make_repository(
        tmp_path / "project",
        {
            "edited.py": LINES,
            "moved.py": LINES.replace("line", "other"),
            "gone.py": "x\n",
            "kept.py": "x\n",
            "logo.png": b"\0\1\2",
            "cut.py": LINES,
            "sub/a b.py": "x\n",
        },
        git=True,
    )
    run_git(folder, "switch", "--quiet", "--create", "work")
    (folder / "edited.py").write_text(LINES.replace("line 3\n", "new 3\nnew 4\n").replace("line 20\n", "end"))
    run_git(folder, "mv", "moved.py", "renamed.py")
    moved = (folder / "renamed.py").read_text().replace("other 5\n", "changed 5\n")
    (folder / "renamed.py").write_text(moved)
    run_git(folder, "rm", "--quiet", "gone.py")
    (folder / "logo.png").write_bytes(b"\0\3\4")
    (folder / "cut.py").write_text(LINES.replace("line 7\n", ""))
    # Content that reads like the headers of a patch.
    (folder / "sub" / "a b.py").write_text(
        "x\n++ b/kept.py\n@@ -1 +1,99 @@\ndiff --git a/kept.py b/kept.py\n"
    )
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", "work")
    # What happened on main meanwhile is no part of the change.
    run_git(folder, "switch", "--quiet", "main")
    (folder / "kept.py").write_text("x\ny\n")
    run_git(folder, "commit", "--quiet", "--all", "--message", "main")
    run_git(folder, "switch", "--quiet", "work")
    return folder


def spans(change: Change) -> dict[str, tuple[bool, tuple[tuple[int, int], ...]]]:
    return {path: (file.new, file.spans) for path, file in change.files.items()}


COMMITTED = {
    "edited.py": (False, ((3, 4), (21, 21))),
    "renamed.py": (False, ((5, 5),)),
    "cut.py": (False, ()),
    "sub/a b.py": (False, ((2, 4),)),
}


def test_what_the_branch_changed_since_it_parted(project: Path) -> None:
    change = read_change(str(project), "main")
    assert spans(change) == COMMITTED
    assert (change.removed, change.binary, change.lines) == (1, 1, 7)
    assert change.commit == run_git(project, "merge-base", "main", "HEAD")
    assert change.touches("edited.py", 4)
    assert not change.touches("edited.py", 5)
    assert not change.touches("edited.py", 0)
    assert not change.touches("kept.py", 2)


@pytest.mark.parametrize(
    "name",
    ["diff.noprefix", "diff.mnemonicPrefix", "color.ui=always", "diff.renames=false", "diff.interHunkContext=9",
     "diff.algorithm=patience", "core.quotePath=true", "diff.external=false", "diff.context=9"],
)  # fmt: skip
def test_no_setting_of_the_users_changes_it(name: str, project: Path) -> None:
    key, _, value = name.partition("=")
    run_git(project, "config", key, value or "true")
    assert spans(read_change(str(project), "main")) == COMMITTED


def test_uncommitted_and_new_files_count_and_ignored_ones_do_not(project: Path) -> None:
    (project / ".gitignore").write_text("*.log\n")
    (project / "new ü.py").write_text("a\nb")
    (project / "empty.py").write_text("")
    (project / "x.log").write_text("x\n")
    (project / "kept.py").write_text("z\n")
    (project / "link.py").symlink_to("/etc/passwd")
    change = read_change(str(project), "main")
    assert spans(change) == COMMITTED | {
        ".gitignore": (True, ((1, 1),)),
        "new ü.py": (True, ((1, 2),)),
        "empty.py": (True, ()),
        "kept.py": (False, ((1, 1),)),
        "link.py": (True, ()),
    }
    assert change.touches("new ü.py", 0)
    assert change.head == "working tree"


def test_of_a_very_large_new_file_no_lines_are_counted(project: Path) -> None:
    (project / "dump.txt").write_bytes(b"x\n" * (8 * 2**20 + 1))
    assert spans(read_change(str(project), "main"))["dump.txt"] == (True, ())


def test_a_folder_of_the_repository_has_its_own_part_by_its_own_names(project: Path) -> None:
    assert spans(read_change(str(project / "sub"), "main")) == {"a b.py": (False, ((2, 4),))}


def test_nothing_changed(project: Path) -> None:
    change = read_change(str(project), "work")
    assert (change.files, change.removed, change.lines) == ({}, 0, 0)


def test_the_folders_own_filters_and_tools_do_not_run(project: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (project / ".gitattributes").write_text("*.py filter=trap diff=trap\n")
    for key in ("filter.trap.clean", "filter.trap.process", "diff.trap.command", "diff.trap.textconv",
                "diff.external", "core.fsmonitor", "core.pager"):  # fmt: skip
        run_git(project, "config", key, f"touch {mark}; cat")
    run_git(project, "config", "filter.trap.required", "true")
    (project / "kept.py").write_text("z\n")
    assert spans(read_change(str(project), "main"))["kept.py"] == (False, ((1, 1),))
    assert not mark.exists()
    subprocess.run(["git", "diff", "main"], cwd=project, capture_output=True, timeout=20, check=False)
    assert mark.exists(), "the trap itself does not work"


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("nope", "has no commit, branch or tag 'nope'"),
        ("--output=/tmp/x", "begins with '-'"),
        ("-x", "begins with '-'"),
        ("main..work", "is a range"),
        ("", "is empty"),
        ("main\n--output=x", "space or control character"),
        ("HEAD:edited.py", "has no commit"),
        ("other", "did you mean origin/other?"),
    ],
)
def test_a_base_that_is_none(base: str, words: str, project: Path) -> None:
    run_git(project, "update-ref", "refs/remotes/origin/other", "main")
    with pytest.raises(PicoclawError, match=r".") as error:
        read_change(str(project), base)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_shallow_clone_says_how_to_mend_it(project: Path, tmp_path: Path) -> None:
    make = [
        "clone",
        "--quiet",
        "--depth=1",
        "--no-single-branch",
        f"file://{project}",
        str(tmp_path / "shallow"),
    ]
    run_git(tmp_path, *make)
    for base in ("origin/main", "main"):
        with pytest.raises(PicoclawError, match=r"fetch-depth: 0") as error:
            read_change(str(tmp_path / "shallow"), base)
        assert "git fetch --unshallow" in str(error.value)


def test_folders_without_history_are_refused_in_words(tmp_path: Path, project: Path) -> None:
    plain = make_repository(tmp_path / "plain", {"a.py": "x\n"})
    with pytest.raises(PicoclawError, match="is no git work tree"):
        read_change(str(plain), "main")
    run_git(plain, "init", "--quiet")
    with pytest.raises(PicoclawError, match="has no commit yet"):
        read_change(str(plain), "main")
    run_git(project, "checkout", "--quiet", "--orphan", "alone")
    run_git(project, "commit", "--quiet", "--message", "alone")
    with pytest.raises(PicoclawError, match="no commit in common"):
        read_change(str(project), "main")


@pytest.fixture
def server(project: Path, tmp_path: Path) -> Iterator[str]:
    """A git daemon that serves the project; it takes filters, as public hosts do."""
    run_git(project, "config", "uploadpack.allowFilter", "true")
    with (tmp_path / "daemon.log").open("wb") as output:
        daemon = subprocess.Popen(
            ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", "--port=0",
             f"--base-path={project.parent}", str(project.parent)],
            stderr=output, stdout=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield f"git://127.0.0.1:{wait_for(lambda: listening_port(daemon.pid), 10)}/project"
    finally:
        os.killpg(daemon.pid, 9)
        daemon.wait()


def test_of_a_url_two_commits_are_compared(server: str, project: Path) -> None:
    for base in ("main", "origin/main"):
        change = read_change(f"{server}#work", base)
        assert spans(change) == COMMITTED
        assert change.head == run_git(project, "rev-parse", "work")
    with pytest.raises(PicoclawError, match="has no branch or tag 'nope'"):
        read_change(f"{server}#nope", "main")
    with pytest.raises(PicoclawError, match="has no commit, branch or tag 'nope'"):
        read_change(server, "nope")
