"""The guide's quick start, as typed: two terminals, then a review sent to them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.guide import guide
from picoclaw.tests.support.nodes import Nodes, serving, slow_to_review
from picoclaw.tests.support.processes import alive, processes_of
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

QUICK_START = "One machine, nothing installed beside PicoClaw"
FIRST, SECOND = guide(QUICK_START).commands()
(THEN,) = guide(QUICK_START, "sh").commands()


def typed(spawn: SpawnPicoclaw, line: Sequence[str], cwd: Path | None = None) -> Spawned:
    """Type a line at a terminal of its own."""
    program, *args = line
    assert program == "picoclaw"
    return spawn(*args, terminal=True, cwd=cwd)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(
        tmp_path / "project", {"app.py": "import os\n\n\ndef run(text):\n    return eval(text)\n"}, git=True
    )


def test_two_terminals_then_a_review_from_a_third(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, repository: Path, home: Path
) -> None:
    coordinator, worker = typed(spawn_picoclaw, FIRST), typed(spawn_picoclaw, SECOND)
    for node in (coordinator, worker):
        serving(node)

    ran = run_picoclaw(*THEN[1:], cwd=repository)

    assert ran.returncode == 0, ran.stderr
    assert "# Code review: project" in ran.stdout
    assert "`app.py:5`" in ran.stdout
    for area in ("code", "security", "docs", "testing"):
        assert f"| {area} " in ran.stdout
    coordinator.interrupt()
    worker.interrupt()
    assert (coordinator.wait(), worker.wait()) == (0, 0)
    wait_for(lambda: not alive(processes_of(home)), 5, "nothing runs any more")


def test_the_worker_first_and_the_review_typed_at_the_coordinator(
    spawn_picoclaw: SpawnPicoclaw, repository: Path
) -> None:
    worker = serving(typed(spawn_picoclaw, SECOND))
    coordinator = typed(spawn_picoclaw, FIRST, cwd=repository)
    coordinator.expect("picoclaw> ", 20)

    coordinator.say("help")
    coordinator.expect("code-review +")
    coordinator.say("status")
    coordinator.expect("LAST HEARTBEAT")
    coordinator.say("hello")
    coordinator.expect("nothing here serves 'hello'")
    coordinator.expect("or help for all that works")
    coordinator.expect("picoclaw> $", after=len(coordinator.lines))
    coordinator.type("half a li")
    coordinator.expect("half a li")
    said = len(coordinator.lines)
    coordinator.type("\x03")
    coordinator.expect("picoclaw> $", after=said)
    coordinator.say("Review this repository")

    coordinator.expect("# Code review: project", 30)
    coordinator.expect("What was not reviewed")
    assert "failed" not in coordinator.output
    assert "draining" not in coordinator.output
    assert worker.running
    coordinator.say("quit")
    assert coordinator.wait() == 0


def test_a_second_ctrl_c_ends_a_node_at_once_while_a_task_runs(
    spawn_picoclaw: SpawnPicoclaw, tmp_path: Path
) -> None:
    nodes = Nodes(spawn_picoclaw, "--swarm.nats.embedded")
    _, worker = nodes.start(("coordinator", "lead"), ("worker", "hand"))
    slow = slow_to_review(tmp_path / "slow")
    door, _ = nodes.dispatch("Review", "--capability", "docs", "--repo", str(slow))
    door.expect("task +running")

    worker.interrupt()
    worker.expect("once more to stop at once")
    worker.interrupt()

    assert worker.wait(10) == 130
    nodes.start(("worker", "another hand"))
    assert door.finish(30) == 0, door.output


def test_ctrl_c_twice_in_both_terminals_leaves_nothing_running(
    spawn_picoclaw: SpawnPicoclaw, home: Path
) -> None:
    both = [typed(spawn_picoclaw, FIRST), typed(spawn_picoclaw, SECOND)]
    for node in both:
        serving(node)

    for node in both:
        node.interrupt()
        node.interrupt()

    for node in both:
        assert node.wait(15) in (0, 130)
    wait_for(lambda: not alive(processes_of(home)), 20, "nothing runs any more")
