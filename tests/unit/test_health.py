"""What a node writes down of itself for health checks, and what follows from it."""

import errno
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from picoclaw.swarm.embedded import health as module
from picoclaw.swarm.embedded.health import SIZE, Health, HealthFile, cannot_be_written, here, now, read_health

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

WELL = Health(
    node="a", run="r1", pid=os.getpid(), role="worker", phase="serving", connected=True,
    turned_at=1000.0, beat_at=995.0, node_timeout_s=60.0, here=here(),
)  # fmt: skip


def test_a_node_that_serves_and_beats_is_alive_and_ready() -> None:
    assert (WELL.why_not_alive(1002.0), WELL.why_not_ready(1002.0)) == (None, None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"phase": "starting"}, "has not joined"),
        ({"phase": "draining"}, "draining"),
        ({"connected": False}, "not connected to NATS"),
        ({"beat_at": None}, "no heartbeat"),
        ({"beat_at": 900.0}, "102 s old (node timeout 60 s)"),
    ],
)
def test_what_keeps_a_node_from_being_ready_is_no_reason_to_restart_it(
    changed: dict[str, object], why: str
) -> None:
    node = replace(WELL, **changed)  # type: ignore[arg-type]

    assert node.why_not_alive(1002.0) is None
    assert why in (node.why_not_ready(1002.0) or "")


@pytest.mark.parametrize(("node_timeout", "limit"), [(60.0, 60.0), (0.5, 6.0)])
def test_a_loop_is_stuck_after_its_node_timeout_but_never_within_six_seconds(
    node_timeout: float, limit: float
) -> None:
    node = replace(WELL, node_timeout_s=node_timeout)

    assert node.why_not_alive(1000.0 + limit) is None
    assert "stuck" in (node.why_not_alive(1000.1 + limit) or "")
    assert "stuck" in (node.why_not_ready(1000.1 + limit) or "")


def test_what_is_written_is_read_over_and_over_in_place_until_it_is_closed(tmp_path: Path) -> None:
    file = HealthFile(tmp_path, "r1")
    file.write(WELL)
    (path,) = (tmp_path / "health").iterdir()
    inode = path.stat().st_ino

    file.write(replace(WELL, node="Zoë 世界 🦀 " * 10, phase="draining", beat_at=None))

    assert (path.stat().st_ino, path.stat().st_size) == (inode, SIZE)
    (found,) = read_health(tmp_path)
    assert (found.phase, found.beat_at) == ("draining", None)
    assert found.node.startswith("Zoë")
    file.close()
    file.close()
    assert read_health(tmp_path) == []
    assert list((tmp_path / "health").iterdir()) == []


def test_what_a_killed_node_left_counts_for_nothing_and_goes_with_the_next_node(tmp_path: Path) -> None:
    folder = tmp_path / "health"
    folder.mkdir(mode=0o700)
    left = folder / "old.json"
    left.write_text(json.dumps({**{k: getattr(WELL, k) for k in WELL.__slots__}, "turned_at": now()}))

    assert read_health(tmp_path) == []
    assert left.exists()  # to look changes nothing

    file = HealthFile(tmp_path, "new")
    file.write(WELL)
    assert not left.exists()
    file.close()


def test_of_a_home_that_machines_share_each_sees_its_own_nodes(tmp_path: Path) -> None:
    ours, theirs = HealthFile(tmp_path, "r1"), HealthFile(tmp_path, "r2")
    ours.write(WELL)
    theirs.write(replace(WELL, node="b", here="another machine"))

    assert read_health(tmp_path) == [WELL]
    ours.close()
    theirs.close()


def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path) -> None:
    file = HealthFile(tmp_path, "r1")
    file.write(WELL)
    path = tmp_path / "health" / "r1.json"
    path.write_bytes(b'{"node": "half')

    assert read_health(tmp_path) == []
    file.close()


def test_a_run_directory_that_takes_nothing_never_fails_the_node_and_is_warned_of_once(
    unprivileged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unprivileged.chmod(0o500)
    run = unprivileged / "run"
    file = HealthFile(run, "r1")

    with caplog.at_level(logging.WARNING, module.__name__):
        file.write(WELL)
        file.write(WELL)
        assert len(caplog.records) == 1
        # Room again: it is written from now on.
        unprivileged.chmod(0o700)
        file.write(WELL)

    assert read_health(run) == [WELL]
    file.close()


def test_a_reader_knows_a_folder_that_cannot_be_written(unprivileged: Path) -> None:
    file = HealthFile(unprivileged, "r1")
    file.write(WELL)
    assert cannot_be_written(unprivileged) is None
    folder = unprivileged / "health"
    before = sorted(folder.iterdir())

    folder.chmod(0o500)

    assert cannot_be_written(unprivileged) == os.strerror(errno.EACCES)
    assert read_health(unprivileged) == [WELL]
    folder.chmod(0o700)
    assert sorted(folder.iterdir()) == before
    file.close()


def test_without_a_run_directory_there_is_nothing_to_read_and_nothing_wrong(tmp_path: Path) -> None:
    assert read_health(tmp_path / "none") == []
    assert cannot_be_written(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
