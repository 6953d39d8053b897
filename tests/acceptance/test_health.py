"""`picoclaw health`, and a node as a container platform runs it: told by environment, ended by SIGTERM."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.embedded.health import STUCK_AFTER
from picoclaw.tests.support.command import PICOCLAW, RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.nodes import Nodes, serving, slow_to_review
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

GRACE = 40.0
"""What compose and Kubernetes files give a node to end."""


def all_states(run: RunPicoclaw, *args: str) -> tuple[int, dict[str, dict[str, Any]]]:
    ran = run("health", "--json", *args)
    return ran.returncode, {node["node"]: node for node in json.loads(ran.stdout)["nodes"]}


def test_without_a_node_it_fails_in_one_line_and_changes_nothing(
    run_picoclaw: RunPicoclaw, home: Path
) -> None:
    ran = run_picoclaw("health")

    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert ran.stderr.startswith("picoclaw: error: no node of this user runs on this machine")
    assert not (home / ".picoclaw").exists()
    code, nodes = all_states(run_picoclaw, "--ready")
    assert (code, nodes) == (1, {})


def test_a_node_is_alive_without_its_server_ready_only_with_it_and_neither_when_its_loop_is_stuck(
    start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw
) -> None:
    server = start_nats()
    server.stop()
    nodes = Nodes(spawn_picoclaw, "--swarm.nats.urls", server.url)
    solo, stuck = nodes.begin("worker", "solo"), nodes.begin("worker", "stuck")
    for node in (solo, stuck):
        node.expect("waiting for a NATS server")
    began = time.monotonic()
    stuck.signal(signal.SIGSTOP)

    def health(*args: str, node: str = "solo") -> tuple[int, str]:
        ran = run_picoclaw("health", "--node", node, *args)
        assert (ran.stdout + ran.stderr).count("\n") == 1
        return ran.returncode, ran.stdout or ran.stderr.removeprefix("picoclaw: error: ")

    assert health() == (
        0, f"solo (worker, pid {solo.pid}): starting, not connected to NATS, no heartbeat stored yet\n"
    )  # fmt: skip
    assert health("--ready") == (1, f"solo (worker, pid {solo.pid}): it has not joined the swarm yet\n")

    server.start()
    serving(solo)
    wait_for(lambda: health("--ready")[0] == 0)
    assert re.search(r": serving, connected, heartbeat [01]s ago$", health("--ready")[1])
    assert health(node="other")[0] == 1

    server.stop()
    wait_for(lambda: "not connected to NATS" in health("--ready")[1])
    code, states = all_states(run_picoclaw, "--node", "solo")
    assert (code, states["solo"]["alive"], states["solo"]["ready"]) == (0, True, False)
    server.start()
    wait_for(lambda: health("--ready")[0] == 0, 20)

    wait_for(lambda: health(node="stuck")[0] == 1, STUCK_AFTER.total_seconds() + 10, "liveness to fail")
    assert time.monotonic() - began > STUCK_AFTER.total_seconds() - 2
    assert re.search(r"its event loop has been stuck for \d+ s \(limit 6 s\)", health(node="stuck")[1])
    code, states = all_states(run_picoclaw)
    assert (code, states["stuck"]["alive"], states["solo"]["alive"]) == (1, False, True)
    stuck.signal(signal.SIGCONT)
    wait_for(lambda: health(node="stuck")[0] == 0)

    stuck.kill9()
    wait_for(lambda: list(all_states(run_picoclaw)[1]) == ["solo"])


def test_by_environment_alone_a_node_serves_and_sigterm_ends_it_within_its_grace_with_its_task_done(
    nats_server: NatsServer,
    spawn_picoclaw: SpawnPicoclaw,
    run_picoclaw: RunPicoclaw,
    home: Path,
    tmp_path: Path,
) -> None:
    hid = f"env {secrets.token_hex(4)}"
    told = {
        "PICOCLAW_SWARM_ENABLED": "true",
        "PICOCLAW_SWARM_ROLE": "worker",
        "PICOCLAW_SWARM_NAME": "contained",
        "PICOCLAW_SWARM_CAPABILITIES": "docs",
        "PICOCLAW_SWARM_HID": hid,
        "PICOCLAW_SWARM_NATS_URLS": nats_server.url,
    }
    nodes = Nodes(spawn_picoclaw, "--swarm.hid", hid, "--swarm.nats.urls", nats_server.url)
    # As an image has it: a home, a PATH, and what the platform was told; no flag, no terminal, no stdin.
    bare = {"HOME": str(home), "PATH": f"{PICOCLAW.parent}:{os.defpath}", **told}
    node = subprocess.Popen(
        ["picoclaw"], executable=str(PICOCLAW), env=bare, cwd=home,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: run_picoclaw("health", "--ready").returncode == 0, 30, "the node to be ready")
        (lead,) = nodes.start(("coordinator", "lead"))
        slow = slow_to_review(tmp_path / "slow", files=800)
        door, _ = nodes.dispatch("Review", "--capability", "docs", "--repo", str(slow))
        door.expect("task +running on contained", 20)

        node.send_signal(signal.SIGTERM)
        began = time.monotonic()

        wait_for(lambda: "it is draining" in _why(run_picoclaw), what="the drain to show")
        assert run_picoclaw("health", "--node", "contained").returncode == 0
        assert node.wait(GRACE) == 0
        assert time.monotonic() - began < GRACE
        assert door.finish(30) == 0, door.output
        assert "queued again" not in door.output
        assert run_picoclaw("health", "--node", "contained").returncode == 1
        assert lead.running
    finally:
        if node.poll() is None:
            node.kill()
        _, said = node.communicate(timeout=10)
    assert [json.loads(line)["event"] for line in said.splitlines()][-1] == "left the swarm"


def _why(run: RunPicoclaw) -> str:
    return run("health", "--ready", "--node", "contained").stderr


def test_it_comes_at_once(run_picoclaw: RunPicoclaw, home: Path) -> None:
    """A probe runs every few seconds for ever: it loads no NATS client, no event loop, no models."""
    code = (
        "import sys; from picoclaw.cli.main import main\n"
        "try: main(['health'])\n"
        "except SystemExit: print('LOADED', *{n.partition('.')[0] for n in sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True,
        env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    loaded = set(ran.stdout.split())

    assert "LOADED" in loaded
    assert loaded & {"asyncio", "nats", "pydantic", "yaml", "rich", "structlog"} == set()
