"""Snapshots: what of a folder travels, and each folder that cannot be reviewed, by name."""

import os
import socket
import tarfile
from pathlib import Path

import pytest

from picoclaw.capabilities.repository.snapshot import Limits, Snapshot, take_snapshot
from picoclaw.errors import RepositoryError
from picoclaw.tests.support.repositories import make_repository, run_git

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def snapshot(folder: Path, limits: Limits | None = None) -> Snapshot:
    return take_snapshot(folder, folder.parent / "archive.tar.gz", limits)


def names(taken: Snapshot) -> list[str]:
    with tarfile.open(taken.path) as tar:
        return tar.getnames()


def refusal(folder: Path, limits: Limits | None = None) -> str:
    with pytest.raises(RepositoryError) as caught:
        snapshot(folder, limits)
    assert not (folder.parent / "archive.tar.gz").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_repository_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere")


def test_an_empty_repository_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refusal(make_repository(tmp_path / "empty", {}))


def test_a_repository_of_only_git_is_refused(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "bare", {})
    run_git(folder, "init", "--quiet")
    assert "holds no file" in refusal(folder)


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is not a folder" in refusal(make_repository(tmp_path / "x", {"a.py": ""}) / "a.py")


def test_a_name_with_a_null_byte_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(tmp_path / "a\0b")


def test_a_binary_repository_is_refused(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "binary", {"a.bin": b"\0\1\2", "b.png": b"\x89PNG\0", "empty": b""})
    assert "only empty or binary files" in refusal(folder)


def test_a_repository_of_too_many_files_is_refused(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "many", {f"{n}.txt": "x" for n in range(6)})
    assert "more than 5 files" in refusal(folder, Limits(max_files=5))
    run_git(folder, "init", "--quiet")
    assert "more than 5 files" in refusal(folder, Limits(max_files=5))
    assert snapshot(folder, Limits(max_files=6)).files == 6


def test_a_huge_repository_is_refused(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "huge", {"a.txt": "x" * 2**20, "b.txt": "x" * 2**20})
    assert "more than 1 MB" in refusal(folder, Limits(max_bytes=2**20))


def test_a_huge_sparse_file_is_refused_without_being_read(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "sparse", {"a.txt": "x"})
    with (folder / "disk.img").open("wb") as file:
        file.truncate(2**40)
    assert "more than 200 MB" in refusal(folder)


def test_an_unreadable_repository_is_refused(unprivileged: Path) -> None:
    folder = make_repository(unprivileged / "locked", {"a.py": "x = 1\n"})
    folder.chmod(0)
    try:
        assert "is not readable" in refusal(folder)
    finally:
        folder.chmod(0o700)


def test_an_unreadable_file_is_left_out_and_named(unprivileged: Path) -> None:
    folder = make_repository(
        unprivileged / "r", {"a.py": "x = 1\n", "b.py": "y = 1\n", "sub/c.py": "z = 1\n"}
    )
    (folder / "b.py").chmod(0)
    (folder / "sub").chmod(0)
    try:
        taken = snapshot(folder)
    finally:
        (folder / "sub").chmod(0o700)
    assert names(taken) == ["a.py"]
    assert taken.notes == ("not readable: sub, b.py",)


def test_tracked_and_unignored_files_travel(tmp_path: Path) -> None:
    folder = make_repository(
        tmp_path / "r", {"a.py": "x\n", ".gitignore": "*.log\nbuild/\n", "gone.py": "x\n"}, git=True
    )
    make_repository(folder, {"new.py": "x\n", "x.log": "x", "build/out.txt": "x"})
    (folder / "gone.py").unlink()
    assert names(snapshot(folder)) == [".gitignore", "a.py", "new.py"]


def test_a_folder_below_a_work_tree_travels_alone(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a.py": "x\n", "sub/b.py": "x\n"}, git=True)
    taken = take_snapshot(folder / "sub", tmp_path / "s.tar.gz")
    assert names(taken) == ["b.py"]
    assert taken.label == "sub"


def test_a_folder_that_git_ignores_travels_whole(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {".gitignore": "vendor/\n", "vendor/b.py": "x\n"}, git=True)
    taken = take_snapshot(folder / "vendor", tmp_path / "s.tar.gz")
    assert names(taken) == ["b.py"]
    assert "git ignores this folder" in taken.notes[0]


def test_a_plain_folder_travels_without_what_tools_left(tmp_path: Path) -> None:
    files = [
        "a.py",
        "__pycache__/a.pyc",
        "node_modules/x/i.js",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        ".mypy_cache/x",
    ]
    folder = make_repository(tmp_path / "r", {**dict.fromkeys(files, "x\n"), "sub/.env.py": "x"})
    assert names(snapshot(folder)) == ["a.py", "sub/.env.py"]


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    files = {"b.py": "x\n", "a/c.py": "y\n"}
    one = snapshot(make_repository(tmp_path / "1" / "r", files))
    two = snapshot(make_repository(tmp_path / "2" / "r", files))
    os.utime(tmp_path / "2" / "r" / "b.py", (1, 1))
    three = snapshot(tmp_path / "2" / "r")
    assert one.digest == two.digest == three.digest
    # Bytes 4 to 7 of a gzip header are its time.
    assert three.path.read_bytes()[4:8] == bytes(4)


def test_nothing_of_the_senders_path_travels(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "very-private-folder" / "r", {"a.py": "x\n"})
    (folder / "in").symlink_to("a.py")
    (folder / "absolute").symlink_to(folder / "a.py")
    (folder / "out").symlink_to("../../other")
    (folder / "loop").symlink_to("loop")
    taken = snapshot(folder)
    with tarfile.open(taken.path) as tar:
        members = {member.name: (member.linkname, member.uid, member.uname, member.mtime) for member in tar}
        raw = b"".join(member.tobuf() for member in tar)
    assert members == {"a.py": ("", 0, "", 0), "in": ("a.py", 0, "", 0)}
    assert b"very-private-folder" not in raw
    assert taken.label == "r"
    assert taken.notes == ("a link that points outside, not sent: absolute, loop, out",)


def test_a_link_to_a_folder_is_kept_and_not_followed(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"sub/a.py": "x\n"})
    (folder / "again").symlink_to("sub")
    assert names(snapshot(folder)) == ["again", "sub/a.py"]


def test_pipes_and_sockets_are_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_repository(tmp_path / "r", {"a.py": "x\n"})
    os.mkfifo(folder / "pipe")
    # A socket's path is short on every system.
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        taken = snapshot(folder)
    assert names(taken) == ["a.py"]
    assert taken.notes == ("neither file, folder nor link: pipe, socket",)


def test_a_submodule_is_named_and_not_sent(tmp_path: Path) -> None:
    inner = make_repository(tmp_path / "inner", {"i.py": "x\n"}, git=True)
    folder = make_repository(tmp_path / "r", {"a.py": "x\n"}, git=True)
    run_git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    taken = snapshot(folder)
    assert names(taken) == [".gitmodules", "a.py"]
    assert taken.notes == ("a repository of its own (submodule), not sent: sub",)


@pytest.mark.parametrize("name", [".env", "id_rsa", "tls/server.pem", "aws/credentials", ".env.production"])
def test_a_file_that_looks_like_a_secret_is_sent_with_a_warning(tmp_path: Path, name: str) -> None:
    taken = snapshot(make_repository(tmp_path / "r", {"a.py": "x\n", name: "x\n"}))
    assert name in names(taken)
    assert len(taken.warnings) == 1
    assert name in taken.warnings[0]


@pytest.mark.parametrize("name", [".env.example", "secrets.py", "environment.yml", "key.py"])
def test_a_file_that_only_sounds_like_a_secret_is_no_reason_to_warn(tmp_path: Path, name: str) -> None:
    assert snapshot(make_repository(tmp_path / "r", {"a.py": "x\n", name: "x\n"})).warnings == ()


def test_a_repository_cannot_run_a_program_by_its_git_settings(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a.py": "x\n"}, git=True)
    mark = tmp_path / "mark"
    monitor = make_repository(tmp_path / "bin", {"monitor": f"#!/bin/sh\ntouch {mark}\n"}) / "monitor"
    monitor.chmod(0o700)
    run_git(folder, "config", "core.fsmonitor", str(monitor))
    run_git(folder, "status")
    assert mark.exists(), "the trap itself does not work"
    mark.unlink()
    snapshot(folder)
    assert not mark.exists()


def test_names_in_any_bytes_travel(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a b\nc.py": "x\n", "ü.py": "x\n", "-rf.py": "x\n"})
    try:
        (folder / os.fsdecode(b"latin-\xe9.py")).write_text("x\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    run_git(folder, "init", "--quiet")
    assert snapshot(folder).files == 4


def test_the_credentials_of_the_swarm_never_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_repository(
        tmp_path / "home",
        {
            "a.py": "1",
            ".picoclaw/nats/secrets.json": "{}",
            ".picoclaw/policy.yaml": "deny: [bash]",
            "work/.picoclaw/skills/x/SKILL.md": "of a repository",
        },
    )
    monkeypatch.setenv("HOME", str(home))
    taken = snapshot(home)
    assert not [name for name in names(taken) if name.startswith(".picoclaw")]
    assert {"a.py", "work/.picoclaw/skills/x/SKILL.md"} <= set(names(taken))
    assert taken.warnings == ()
    assert taken.notes == ("holds the swarm's credentials, not sent: .picoclaw",)
    assert names(snapshot(home / ".picoclaw")) == ["policy.yaml"]
