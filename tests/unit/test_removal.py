"""Removing what users' programs left: very deep folders, read-only ones, links out of the tree."""

import os
from pathlib import Path

import pytest

from picoclaw.capabilities.removal import remove
from picoclaw.roles.scratch import scratch_folder

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def nest(folder: Path, levels: int) -> None:
    """Make folders in folders, deeper than any path may be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep-down-below", dir_fd=here)
        below = os.open("deep-down-below", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_very_deep_folders_that_a_killed_run_left_do_not_keep_a_node_from_starting(tmp_path: Path) -> None:
    left = tmp_path / "jobs" / "1-1.x"
    left.mkdir(parents=True, mode=0o700)
    nest(left, 2000)
    with scratch_folder(tmp_path / "jobs") as folder:
        assert not left.exists()
        nest(folder, 2000)
    assert list((tmp_path / "jobs").iterdir()) == []


def test_read_only_folders_go_and_what_links_point_to_stays(tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    (kept / "inner").mkdir(parents=True)
    (folder / "a" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "file").touch()
    (folder / "a" / "link").symlink_to(kept)
    (folder / "a" / os.fsdecode(b"\xff")).mkdir()
    for inner in ("a/b/c", "a/b", "a", "."):
        (folder / inner).chmod(0o500)

    assert remove(folder)
    assert not folder.exists()
    assert (kept / "inner").is_dir()

    (tmp_path / "link").symlink_to(kept)
    assert remove(tmp_path / "link")
    assert (kept / "inner").is_dir()
    assert remove(tmp_path / "never was")
