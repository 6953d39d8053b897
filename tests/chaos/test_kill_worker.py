"""A worker is killed, or stopped, in the middle of a task: the task ends elsewhere, once."""

import signal
import time
from pathlib import Path

import pytest

from picoclaw.swarm.entries import Done, Queued, Started
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.figures import record
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import Nodes, look, may_judge, slow_to_review
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.swarm import STEP, entries

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

HID = "chaos"
WITHIN = 5.0
"""Seconds after a kill -9 in which the task runs elsewhere, with a node timeout of 3 s."""


@pytest.fixture
def url(start_nats: StartNats) -> str:
    return start_nats().url


@pytest.fixture
def nodes(url: str, spawn_picoclaw: SpawnPicoclaw) -> Nodes:
    return Nodes(spawn_picoclaw, "--swarm.hid", HID, "--swarm.nats.urls", url)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return slow_to_review(tmp_path / "slow", files=200)


def in_the_middle(door: Spawned, workers: dict[str, Spawned]) -> str:
    """Which worker holds the task, when one of its tools has ended and the others have not."""
    holder = door.expect(r"task +running on ([\w-]+)").group(1)
    door.expect(r"task +(ruff|codespell|doc facts): ")
    assert holder in workers
    return holder


@pytest.mark.long
async def test_of_three_workers_one_is_killed_and_one_stopped_in_a_task_and_it_ends_elsewhere_once(
    nodes: Nodes, url: str, repository: Path, tmp_path: Path
) -> None:
    coordinator, *three = nodes.start(
        ("coordinator", "lead"),
        *(("worker", name, "--swarm.capabilities", "docs") for name in ("one", "two", "three")),
    )
    workers = dict(zip(("one", "two", "three"), three, strict=True))
    async with look(url, HID, tmp_path) as lab:
        swarm = await lab.door(make=False)
        await may_judge(swarm, "lead")
        await _killed(nodes, swarm, workers, repository, coordinator)
        await _stopped(nodes, swarm, workers, repository, tmp_path)


async def _killed(
    nodes: Nodes, swarm: Swarm, workers: dict[str, Spawned], repository: Path, coordinator: Spawned
) -> None:
    """The task runs elsewhere within 5 s, and ends there."""
    door, request = nodes.dispatch("Review", "--capability", "docs", "--repo", str(repository))
    victim = in_the_middle(door, workers)
    killed = time.monotonic()
    workers[victim].kill9()
    door.expect(r"task +running on [\w-]+ \(attempt 2\)", WITHIN)
    record("worker killed in a review: it runs again", time.monotonic() - killed)

    assert door.finish() == 0, door.output
    log = await entries(swarm, request, STEP)
    first, lost, second, end = log[1], log[2], log[3], log[4]
    assert [entry.kind for entry in log] == ["queued", "started", "queued", "started", "done"]
    assert isinstance(first, Started)
    assert isinstance(lost, Queued)
    assert isinstance(second, Started)
    assert isinstance(end, Done)
    assert (first.attempt, second.attempt, end.attempt) == (1, 2, 2)
    assert (lost.attempt, lost.reason) == (2, f"node offline: {victim}")
    assert first.node == victim != second.node
    assert end.node == second.node
    coordinator.expect(f"Node marked offline.*{victim}|{victim}.*Node marked offline")
    del workers[victim]


async def _stopped(
    nodes: Nodes, swarm: Swarm, workers: dict[str, Spawned], repository: Path, tmp_path: Path
) -> None:
    """Past its node timeout; it comes back as a zombie, and changes nothing."""
    door, request = nodes.dispatch("Review", "--capability", "docs", "--repo", str(repository))
    zombie = workers[in_the_middle(door, workers)]
    zombie.signal(signal.SIGSTOP)
    # Nobody may believe in its death before its node timeout: its connection still stands.
    door.expect(r"task +queued again: node offline", 10)
    door.expect(r"task +done", 10)
    assert door.finish() == 0, door.output
    zombie.signal(signal.SIGCONT)
    zombie.expect("was fenced and stopped")

    small = make_repository(tmp_path / "small", {"a.py": '"""A."""\n'})
    again, later = nodes.dispatch("Review", "--capability", "docs", "--repo", str(small))
    assert again.finish() == 0, again.output
    first, second = await entries(swarm, request, STEP), await entries(swarm, later, STEP)
    assert [entry.kind for entry in first] == ["queued", "started", "queued", "started", "done"]
    assert [entry.kind for entry in second] == ["queued", "started", "done"]
    assert zombie.running
