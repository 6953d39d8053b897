"""A node's log on disk: bounded, private, readable by time, and nothing that ends a node."""

import json
import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.cli.logs.log_file import KEPT, MOST, NodeLog, keep_log, sweep
from picoclaw.cli.logs.log_setup import JsonLines
from picoclaw.cli.logs.node_logs import NodeFiles, Tail, find_logs, merged
from picoclaw.errors import UsageError
from picoclaw.swarm.subjects import token

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """The root logger as it was before."""
    logger = logging.getLogger()
    before = logger.handlers[:]
    yield
    for handler in [handler for handler in logger.handlers if handler not in before]:
        logger.removeHandler(handler)
        handler.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    path = tmp_path / "logs"
    path.mkdir()
    return path


def node_log(path: Path, node: str = "hand", limit: int = 10_000) -> NodeLog:
    handler = NodeLog(path, limit=limit)
    handler.setFormatter(JsonLines({"node": node}))
    return handler


def write(handler: NodeLog, event: str, at: float = 0.0, level: int = logging.INFO) -> None:
    record = logging.LogRecord("picoclaw", level, "", 0, event, (), None)
    record.created = at
    handler.handle(record)


def events(path: Path) -> list[str]:
    return [line.event for line in NodeFiles("hand", path).lines()]


def test_it_is_private_and_full_files_make_room(folder: Path) -> None:
    path = folder / "hand.log"
    handler = node_log(path, limit=400)
    for number in range(40):
        write(handler, f"event {number}")
    handler.close()

    sizes = [file.stat().st_size for file in folder.iterdir()]
    assert sorted(file.name for file in folder.iterdir()) == ["hand.log", "hand.log.1"]
    assert max(sizes) <= 400
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert events(path)[-1] == "event 39"
    assert len(events(path)) >= 4


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk_is_told_once_and_the_node_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    handler = node_log(Path("/dev/full"))
    logging.getLogger().addHandler(handler)

    for number in range(3):
        logging.getLogger("picoclaw").warning("event %d", number)

    told = [record.getMessage() for record in caplog.records if "cannot be written" in record.getMessage()]
    assert told == ["/dev/full cannot be written: No space left on device; the node goes on without it"]


def test_a_home_that_is_no_folder_is_told_and_the_node_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()

    assert keep_log(tmp_path / "file", "hand", JsonLines({})) is None
    assert "the log is not kept in a file: " in caplog.text


def test_it_is_kept_under_the_home_and_says_why_the_node_ended(tmp_path: Path) -> None:
    kept = keep_log(tmp_path / "home", "a/b c", JsonLines({"node": "a/b c"}))
    assert kept is not None
    kept.note_end(ValueError("it broke"))

    [files] = find_logs(tmp_path / "home" / "logs")
    [line] = files.lines()
    assert (files.name, line.event, line.level) == ("a/b c", "node ended: it broke", "error")
    assert "ValueError: it broke" in line.whole["exception"]
    assert stat.S_IMODE((tmp_path / "home" / "logs").stat().st_mode) == 0o700


def test_only_what_gone_nodes_left_long_ago_is_removed(folder: Path) -> None:
    for name in ("old.log", "old.log.1", "living.log", "young.log"):
        (folder / name).touch()
    now = (folder / "young.log").stat().st_mtime
    for name in ("old.log", "old.log.1", "living.log"):
        os.utime(folder / name, (0, now - KEPT.total_seconds() - 60))

    sweep(folder, {"living"}, now=now)

    assert sorted(path.name for path in folder.iterdir()) == ["living.log", "young.log"]


def test_nodes_that_start_under_ever_new_names_do_not_fill_the_disk(folder: Path) -> None:
    for number in range(MOST + 5):
        (folder / f"claw-{number:03}.log").touch()
        os.utime(folder / f"claw-{number:03}.log", (0, 1000.0 + number))

    sweep(folder, {"claw-001"}, now=2000.0)

    left = sorted(path.name for path in folder.iterdir())
    assert left[:2] == ["claw-001.log", "claw-005.log"]
    assert len(left) == MOST + 1


def test_several_nodes_are_read_by_time_and_torn_lines_are_passed_over(tmp_path: Path) -> None:
    one, two = node_log(tmp_path / "one.log", "one"), node_log(tmp_path / "two.log", "two")
    for at, (handler, event) in enumerate([(one, "a"), (two, "b"), (one, "c"), (two, "d")]):
        write(handler, event, at)
    for handler in (one, two):
        handler.close()
    with (tmp_path / "one.log").open("a") as file:
        file.write('{"event": "tor\n[]\n\n')

    lines = list(merged(find_logs(tmp_path)))

    assert [(line.node, line.event) for line in lines] == [
        ("one", "a"),
        ("two", "b"),
        ("one", "c"),
        ("two", "d"),
    ]


def test_what_only_looks_like_a_log_is_named_and_passed_over(folder: Path) -> None:
    handler = node_log(folder / "hand.log")
    write(handler, "there")
    handler.close()
    (folder / "odd.log").mkdir()
    os.mkfifo(folder / "pipe.log")
    (folder / "zero.log").symlink_to("/dev/zero")
    told: list[str] = []

    found = find_logs(folder, told.append)
    sweep(folder, {"hand", "pipe", "zero"}, now=1e12)

    assert [line.event for line in merged(found)] == ["there"]
    assert [line.removeprefix(f"{folder}/") for line in told] == [
        "odd.log cannot be read (Is a directory): check whose it is, or remove it",
        "pipe.log cannot be read (it is a pipe, device or the like): check whose it is, or remove it",
        "zero.log cannot be read (it is a pipe, device or the like): check whose it is, or remove it",
    ]
    with pytest.raises(UsageError, match=r"pipe\.log cannot be read"):
        Tail(NodeFiles("pipe", folder / "pipe.log"), from_start=True).added()


def test_a_pipe_in_place_of_a_log_does_not_hold_the_node(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(folder / "hand.log")
    handler = node_log(folder / "hand.log")

    write(handler, "lost")

    assert "cannot be written" in caplog.text


def test_a_tail_misses_nothing_when_the_file_is_put_aside_between_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "hand.log"
    handler = node_log(path, limit=250)
    write(handler, "before")
    tail = Tail(NodeFiles("hand", path))

    assert tail.added() == []
    write(handler, "first")
    write(handler, "second")
    write(handler, "third")
    assert (tmp_path / "hand.log.1").exists()
    assert [line.event for line in tail.added()] == ["first", "second", "third"]
    with path.open("a") as file:
        file.write('{"event": "half", "level": "info", ')
    assert tail.added() == []
    with path.open("a") as file:
        file.write('"timestamp": "2"}\n')
    assert [line.event for line in tail.added()] == ["half"]
    handler.close()


def test_a_file_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    handler = node_log(tmp_path / "hand.log")
    write(handler, "lost")
    (tmp_path / "hand.log").unlink()
    handler._looked = 0.0  # as if half a second had passed
    write(handler, "kept")
    handler.close()

    assert json.loads((tmp_path / "hand.log").read_text())["event"] == "kept"
    assert token("hand") != token("Hand")
