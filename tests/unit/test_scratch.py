"""The workspaces of a run's jobs: gone with the run, and swept when a run was killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from picoclaw.roles.scratch import scratch_folder
from picoclaw.swarm.embedded.process import birth

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]


def test_it_is_private_and_goes_with_the_run(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "jobs") as folder:
        (folder / "job-1").mkdir()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "jobs").iterdir()) == []


def test_two_nodes_of_one_process_do_not_share_it(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "jobs") as one, scratch_folder(tmp_path / "jobs") as other:
        assert one != other
        assert one.is_dir()


def test_what_killed_runs_left_is_swept_and_what_live_ones_use_stays(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir(mode=0o700)
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    try:
        live = jobs / f"{child.pid}-{birth(child.pid)}.x"
        stranger = jobs / f"{os.getpid()}-1.x"
        for folder in (live, stranger):
            (folder / "job-1").mkdir(parents=True)
        with scratch_folder(jobs):
            assert live.is_dir()
            assert not stranger.exists(), "its pid is somebody else's now"
    finally:
        child.stdin.close()
        child.wait()
    with scratch_folder(jobs):
        assert not live.exists()
