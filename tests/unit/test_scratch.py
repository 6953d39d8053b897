"""The workspaces of a run's jobs: gone with the run, and swept when a run was killed."""

import os
import signal
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


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="elsewhere no environment can be read")
def test_what_a_killed_run_still_runs_is_ended_though_it_is_stopped(tmp_path: Path) -> None:
    left = tmp_path / "jobs" / f"{os.getpid()}-1.x"
    left.mkdir(parents=True)
    (tmp_path / "jobs").chmod(0o700)

    def child(file: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "600"], env={**os.environ, "TASK_FILE": str(file)})

    theirs, other = child(left / "job-1" / "task.json"), child(tmp_path / "task.json")
    try:
        theirs.send_signal(signal.SIGSTOP)
        with scratch_folder(tmp_path / "jobs"):
            assert theirs.wait(5) == -signal.SIGKILL
            assert other.poll() is None
    finally:
        for process in (theirs, other):
            process.kill()
            process.wait()
