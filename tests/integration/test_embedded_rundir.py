"""The run directory: who is on the list of this machine's nodes."""

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from picoclaw.swarm.embedded.process import birth, command_line, is_server, wait_gone
from picoclaw.swarm.embedded.record import ServerRecord, read_record, write_record
from picoclaw.swarm.embedded.rundir import live_nodes, register_node

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

RECORD = ServerRecord(
    pid=1, port=4222, url="nats://127.0.0.1:4222", user="u", password="p4ss", store="/s", name="n",
    version="2.15.1", started="2026-01-01T00:00:00+00:00",
)  # fmt: skip

REGISTER = """
import os, sys
from datetime import timedelta
from pathlib import Path
from picoclaw.swarm.embedded.rundir import register_node
held = register_node(Path(sys.argv[1]), "other", "worker", os.getpid())
print("registered", flush=True)
sys.stdin.read()
"""


def test_a_node_is_listed_while_it_is_registered(tmp_path: Path) -> None:
    with register_node(tmp_path / "run", "claw-1", "worker", os.getpid()) as held:
        found = live_nodes(tmp_path / "run")
        assert [(node.name, node.role, node.pid) for node in found] == [("claw-1", "worker", os.getpid())]
        assert found[0].birth == birth(os.getpid())

    assert live_nodes(tmp_path / "run") == []
    held.close()


def test_no_run_directory_means_no_node(tmp_path: Path) -> None:
    assert live_nodes(tmp_path / "run") == []


def test_a_killed_node_is_off_the_list(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", REGISTER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert [node.name for node in live_nodes(tmp_path)] == ["other"]
        child.kill()
        child.wait()

        assert live_nodes(tmp_path) == []
        assert list((tmp_path / "nodes").iterdir()) == []


def test_the_list_is_for_its_user_alone(tmp_path: Path) -> None:
    with register_node(tmp_path / "run", "claw-1", "worker", os.getpid()):
        for path in (tmp_path / "run", tmp_path / "run" / "nodes"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_the_record_reads_back_and_hides_its_password(tmp_path: Path) -> None:
    write_record(tmp_path / "r", RECORD)

    assert read_record(tmp_path / "r") == RECORD
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o600
    assert "p4ss" not in repr(RECORD)
    assert RECORD.secret_url == "nats://u:p4ss@127.0.0.1:4222"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "1"}', "\xff\xfe", '{"pid": true}'])
def test_a_record_that_is_none_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text, encoding="latin-1")

    assert read_record(tmp_path / "r") is None


def test_a_record_of_a_newer_version_with_more_fields_is_read(tmp_path: Path) -> None:
    write_record(tmp_path / "r", RECORD)
    more = json.loads((tmp_path / "r").read_text()) | {"colour": "green"}
    (tmp_path / "r").write_text(json.dumps(more))

    assert read_record(tmp_path / "r") == RECORD


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    with subprocess.Popen(["sleep", "30"]) as child:
        mark = birth(child.pid)
        assert mark is not None
        assert mark != birth(os.getpid())
        assert command_line(child.pid) == "sleep 30"
        assert not is_server(child.pid, Path("/x/server.conf"))
        child.kill()
        child.wait()

        assert birth(child.pid) is None
        assert command_line(child.pid) == ""
        assert wait_gone(child.pid, mark, limit=_limit())


def test_a_zombie_is_gone() -> None:
    with subprocess.Popen(["true"]) as child:
        assert wait_gone(child.pid, birth(child.pid), limit=_limit())  # it was not reaped yet


def _limit() -> timedelta:
    return timedelta(seconds=5)
