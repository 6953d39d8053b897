"""The dashboard and the lists over the guide's two-terminal quick start, in real processes."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from picoclaw.tests.support.command import PICOCLAW, RunPicoclaw, Spawned, SpawnPicoclaw, command_environment

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

TWO = ("--swarm.enabled", "--swarm.nats.embedded")


@pytest.fixture
def two_terminals(spawn_picoclaw: SpawnPicoclaw) -> tuple[Spawned, Spawned]:
    coordinator = spawn_picoclaw(*TWO, "--swarm.role", "coordinator", "--swarm.name", "claw-coord-01")
    coordinator.expect("is in swarm", 20)
    worker = spawn_picoclaw(*TWO, "--swarm.role", "worker", "--swarm.name", "claw-work-01")
    worker.expect("is in swarm", 20)
    return coordinator, worker


def test_the_panel_has_this_node_among_all_and_totals_that_add_up(
    two_terminals: tuple[Spawned, Spawned], run_picoclaw: RunPicoclaw
) -> None:
    once = run_picoclaw("--swarm.dashboard", "--once")
    piped = run_picoclaw("--swarm.dashboard")
    other = run_picoclaw("--swarm.dashboard", "--once", "--node", "claw-work")
    data = json.loads(run_picoclaw("--swarm.dashboard", "--json").stdout)

    assert once.returncode == 0, once.stderr
    lines = once.stdout.splitlines()
    assert lines[:4] == [
        "╔════════════════════════════════════════════════════════════╗",
        "║           PicoClaw Swarm Status Dashboard                  ║",
        "╚════════════════════════════════════════════════════════════╝",
        "",
    ]
    assert lines[4:9] == [
        "【This Node】",
        "  ID:    claw-coord-01",
        "  Role:  📋 coordinator",
        "  Status: ● online",
        "  Load:  [░░░░░░░░░] 0% (0/5)",
    ]
    assert re.fullmatch(r"  Uptime: \d+s", lines[9])
    assert lines[11] == "【Connections】"
    assert re.fullmatch(r"  NATS:     ✓ Yes nats://127\.0\.0\.1:\d+", lines[12])
    assert lines[13:] == [
        "  Temporal: ✗ No (not configured)",
        "",
        "【Swarm Statistics】",
        "  Nodes:      2 total, 2 online, 0 offline",
        "  Roles:      1 coordinator(s), 1 worker(s), 0 specialist(s)",
        "  Capacity:   0/10 tasks used",
        "",
        "【Discovered Nodes】",
        "  ● claw-coord-01          C online    [░░░░░░░░░] 0% (0/5)",
        "  ● claw-work-01           W online    [░░░░░░░░░] 0% (0/5)",
    ]
    assert piped.stdout.splitlines()[15:] == lines[15:]
    assert "  Role:  ⚙️ worker\n" in other.stdout
    assert data["node"]["name"] == "claw-coord-01"
    assert [node["name"] for node in data["nodes"]] == ["claw-coord-01", "claw-work-01"]
    assert data["statistics"] | {"used": 0} == {
        "total": 2, "online": 2, "offline": 0, "coordinators": 1, "workers": 1, "specialists": 0,
        "promoted": [], "used": 0, "slots": 10,
    }  # fmt: skip


def test_a_worker_killed_with_9_a_moment_ago_is_offline_and_one_that_left_is_too(
    two_terminals: tuple[Spawned, Spawned], run_picoclaw: RunPicoclaw
) -> None:
    coordinator, worker = two_terminals

    worker.kill9()
    panel = run_picoclaw("--swarm.dashboard", "--once")
    nodes = {row["name"]: row for row in json.loads(run_picoclaw("get", "nodes", "--json").stdout)}
    coordinator.terminate()
    coordinator.wait()

    assert "  Nodes:      2 total, 1 online, 1 offline\n" in panel.stdout
    assert "  Capacity:   0/5 tasks used\n" in panel.stdout
    assert "  ○ claw-work-01           W offline   [░░░░░░░░░] 0% (0/5)\n" in panel.stdout
    assert (nodes["claw-work-01"]["status"], nodes["claw-work-01"]["why"]) == (
        "offline",
        "its connection is gone",
    )
    assert nodes["claw-coord-01"]["status"] == "online"


def test_a_dispatched_task_is_listed_described_and_cancelled(
    two_terminals: tuple[Spawned, Spawned], run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw
) -> None:
    text = "look at everything that there is here, and then once more"
    request = run_picoclaw("dispatch", text, "--capability", "nosuch", "--detach").stdout.strip()
    listed = spawn_picoclaw("get", "requests", terminal=True)
    line = listed.expect(f"^{request}.*").group()
    assert listed.finish() == 0

    tasks = run_picoclaw("get", "tasks")
    described = run_picoclaw("describe", "request", request[:8])
    cancelled = run_picoclaw("cancel", request)
    result = run_picoclaw("result", request)

    assert line.endswith("…")
    assert len(re.sub(r"\x1b\[\d*m", "", line)) == 100
    assert re.search(rf"^{request}\.task +nosuch +- +(planned|unroutable) ", tasks.stdout, re.MULTILINE)
    assert re.search(r"^  \d{4}-\d\d-\d\d .* accepted ", described.stdout, re.MULTILINE)
    assert cancelled.stdout == f"{request} ended cancelled\n"
    assert result.returncode == 1


def test_a_reader_that_goes_away_is_no_error(two_terminals: tuple[Spawned, Spawned], home: Path) -> None:
    process = subprocess.Popen(
        [str(PICOCLAW), "get", "nodes"],
        env=command_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    said = process.stderr.read()
    process.stderr.close()

    assert process.wait(20) == 1
    assert said == b""


def test_at_a_terminal_statuses_are_coloured(
    two_terminals: tuple[Spawned, Spawned], spawn_picoclaw: SpawnPicoclaw
) -> None:
    listed = spawn_picoclaw("get", "nodes", terminal=True)

    listed.expect("\x1b\\[32monline")
    assert listed.finish() == 0


def test_without_a_node_of_this_machine_the_panel_says_how_to_start_one(
    two_terminals: tuple[Spawned, Spawned], run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    url = run_picoclaw("nats", "url").stdout.strip()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    panel = run_picoclaw(
        "--swarm.dashboard", "--once", "--swarm.nats.urls", url, env={"HOME": str(elsewhere)}
    )

    assert panel.returncode == 0, panel.stderr
    assert "【This Node】\n  none: no node of this user runs on this machine" in panel.stdout
    assert "2 total, 2 online" in panel.stdout
    assert url.split("@")[0].split(":")[-1] not in panel.stdout


def test_without_a_swarm_each_verb_ends_in_one_line_that_says_where_it_looked(
    run_picoclaw: RunPicoclaw,
) -> None:
    unused = ("--swarm.nats.urls", "nats://127.0.0.1:1")
    for argv in (
        ("get", "nodes"),
        ("get", "requests"),
        ("describe", "task", "x"),
        ("result", "x"),
        ("cancel", "x"),
        ("--swarm.dashboard", "--once"),
    ):
        ran = run_picoclaw(*argv, *unused)

        assert ran.returncode == 3, argv
        assert ran.stderr.count("\n") == 1
        assert "no NATS server answers at nats://127.0.0.1:1 (from flag --swarm.nats.urls)" in ran.stderr
