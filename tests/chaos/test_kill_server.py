"""The shared nats-server is killed in the middle of a request: who notices brings it back, and nothing is lost."""

import os
import signal
from pathlib import Path

import pytest

from picoclaw.swarm.embedded.record import ServerRecord, read_record
from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nodes import Nodes, slow_to_review
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(60)]

PATIENT = ("--swarm.nats.node_timeout", "15s")
"""On a busy machine a worker may take seconds to find the new server; that is no death."""


def shared_server(home: Path) -> ServerRecord | None:
    return read_record(home / ".picoclaw" / "run" / "server.json")


def test_the_shared_server_killed_with_9_in_a_request_comes_back_and_the_request_ends(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, home: Path, tmp_path: Path
) -> None:
    repository = slow_to_review(tmp_path / "slow")
    nodes = Nodes(spawn_picoclaw, "--swarm.nats.embedded")
    started = nodes.start(
        ("coordinator", "lead", *PATIENT), ("worker", "hand", *PATIENT, "--swarm.capabilities", "docs")
    )
    first = shared_server(home)
    assert first is not None
    door, request = nodes.dispatch("Review", "--capability", "docs", "--repo", str(repository))
    door.expect("task +running on hand")

    os.kill(first.pid, signal.SIGKILL)

    second = wait_for(lambda: (now := shared_server(home)) and now.pid != first.pid and now, 15)
    assert second
    assert door.finish(30) == 0, door.output
    described = run_picoclaw("get", "tasks", "--request", request, "--json")
    assert described.returncode == 0, described.stderr
    assert '"state": "done"' in described.stdout
    # Its worker had to join again, and is no dead node for that.
    assert '"attempt": 1' in described.stdout, [node.output for node in started]
