"""`picoclaw demo crash`: it proves what it shows, and leaves nothing behind, however it ends."""

import json
import re
from pathlib import Path

import psutil
import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.processes import alive
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

NODES = 5


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made; what stands in it, or runs in it, was left by the show."""
    path = tmp_path / "tmp"
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    return path


def running_in(folder: Path) -> list[psutil.Process]:
    """The processes of a show, its server and its reaper included: they name its folder, or live in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([*process.cmdline(), process.environ().get("HOME", "")]):
                found.append(process)
        except psutil.Error:
            continue
    return alive(found)


def nodes_of(show: Spawned) -> list[psutil.Process]:
    """The node processes that a show has started."""
    return [child for child in psutil.Process(show.pid).children() if "--swarm.role" in command_of(child)]


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_the_whole_show_proves_that_nothing_is_lost(
    run_picoclaw: RunPicoclaw, folder: Path, home: Path
) -> None:
    # What the user has set leads elsewhere, and is not the show's.
    users = {
        "PICOCLAW_SWARM_NATS_URLS": "nats://127.0.0.1:1",
        "PICOCLAW_SWARM_HID": "mine",
        "NO_API_KEY": "x",
    }

    ran = run_picoclaw("demo", "crash", "--json", env=users, timeout=170)

    assert (ran.returncode, ran.stderr) == (0, "")
    shown = json.loads(ran.stdout)
    assert shown["proven"] is True
    assert shown["accepted"] == shown["finished"] >= 161
    assert (shown["doubled"], shown["lost"], shown["broken"]) == (0, 0, [])
    assert shown["requests"]["accepted"] == shown["requests"]["finished"] >= 1
    assert shown["states"] == {"done": shown["accepted"]}
    assert [fault["what"] for fault in shown["faults"]] == ["worker", "coordinator", "server"]
    assert all(0 < fault["seconds"] < 60 for fault in shown["faults"])
    killed = shown["faults"][0]["killed"]
    # Both jobs of the worker were cut off in the middle, and each ran again with its reason.
    assert shown["again"].get(f"node offline: {killed}", 0) >= 1
    assert shown["attempts"] == shown["accepted"] + sum(shown["again"].values())
    assert shown["accepted"] <= shown["runs"] <= shown["begun"] <= shown["attempts"]
    assert shown["logs"] is None
    assert not list(folder.iterdir())
    assert not running_in(folder)
    assert not (home / ".picoclaw").exists()


def test_kill_9_of_the_show_itself_leaves_nothing(spawn_picoclaw: SpawnPicoclaw, folder: Path) -> None:
    show = spawn_picoclaw("demo", "crash")
    wait_for(lambda: len(nodes_of(show)) == NODES, 60)

    show.kill9()

    wait_for(lambda: not running_in(folder), 20)
    wait_for(lambda: not list(folder.iterdir()), 5)


def test_a_node_that_does_not_come_up_ends_it_and_the_logs_are_kept(
    spawn_picoclaw: SpawnPicoclaw, folder: Path
) -> None:
    show = spawn_picoclaw("demo", "crash")
    wait_for(lambda: nodes_of(show), 60)[0].kill()

    assert show.finish(60) == 1
    told = re.search(r"error: lead-1 did not come up: .*; the logs are kept in (\S+)", show.output)
    assert told is not None, show.output
    assert Path(told[1]).parent == folder
    assert (Path(told[1]) / "lead-1.log").exists()
    assert not running_in(folder)


@pytest.mark.long
def test_at_a_terminal_it_shows_how_far_it_is_and_ctrl_c_leaves_nothing(
    spawn_picoclaw: SpawnPicoclaw, folder: Path
) -> None:
    show = spawn_picoclaw("demo", "crash", terminal=True)
    show.expect(r"\[#*\.+\] \d+ of 161 tasks ended, \d running on worker-1", 90)

    show.type("\x03")

    assert show.finish(30) == 130
    assert "Traceback" not in show.output
    assert not list(folder.iterdir())
    assert not running_in(folder)
