"""A coordinator is killed in the middle of a request: another one, or itself restarted, goes on from the log."""

from pathlib import Path

import pytest

from picoclaw.swarm.entries import Done, Owner
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import Nodes, look, may_judge, serving, slow_to_review
from picoclaw.tests.support.swarm import STEP, entries

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(60)]

HID = "chaos"
WORKS = ("--swarm.capabilities", "docs", "--swarm.promotable=false")
"""A worker that leaves the role to whoever comes back for it (else see test_recovery_times)."""


@pytest.fixture
def url(start_nats: StartNats) -> str:
    return start_nats().url


@pytest.fixture
def nodes(url: str, spawn_picoclaw: SpawnPicoclaw) -> Nodes:
    return Nodes(spawn_picoclaw, "--swarm.hid", HID, "--swarm.nats.urls", url)


@pytest.mark.long
async def test_a_coordinator_killed_with_9_another_one_takes_its_request_over(
    nodes: Nodes, url: str, tmp_path: Path
) -> None:
    repository = slow_to_review(tmp_path / "slow")
    leads = dict(
        zip(("left", "right"), nodes.start(("coordinator", "left"), ("coordinator", "right")), strict=True)
    )
    nodes.start(("worker", "hand", "--swarm.capabilities", "docs"))
    async with look(url, HID, tmp_path) as lab:
        swarm = await lab.door(make=False)
        await may_judge(swarm, "left")
        await may_judge(swarm, "right")
        door, request = nodes.dispatch("Review", "--capability", "docs", "--repo", str(repository))

        owner = door.expect(r"accepted by (\w+)").group(1)
        door.expect("task +running on hand")
        leads.pop(owner).kill9()
        heir = next(iter(leads))

        door.expect(f"taken over by {heir}")
        assert door.finish() == 0, door.output
        task, own = await entries(swarm, request, STEP), await entries(swarm, request)

    # The worker went on all the while: its attempt counts.
    assert [entry.kind for entry in task] == ["queued", "started", "done"]
    assert [entry.kind for entry in own] == ["accepted", "planned", "owner", "done"]
    assert [entry.owner for entry in own if isinstance(entry, Owner)] == [heir]
    assert [entry.node for entry in own if isinstance(entry, Done)] == [heir]


@pytest.mark.long
async def test_a_coordinator_killed_with_9_and_restarted_under_its_name_goes_on_at_once(
    nodes: Nodes, url: str, tmp_path: Path
) -> None:
    repository = slow_to_review(tmp_path / "slow")
    lead, _ = nodes.start(("coordinator", "lead"), ("worker", "hand", *WORKS))
    async with look(url, HID, tmp_path) as lab:
        swarm = await lab.door(make=False)
        door, request = nodes.dispatch("Review", "--capability", "docs", "--repo", str(repository))
        door.expect("task +running on hand")
        lead.kill9()

        # No node timeout has to pass: a new run under the name is the death of the earlier one.
        again = serving(nodes.begin("coordinator", "lead"))
        door.expect("taken over by lead", 3)

        assert door.finish() == 0, door.output
        task, own = await entries(swarm, request, STEP), await entries(swarm, request)

    assert [entry.kind for entry in task] == ["queued", "started", "done"]
    assert [entry.kind for entry in own] == ["accepted", "planned", "owner", "done"]
    assert again.running


@pytest.mark.long
async def test_both_coordinator_and_worker_killed_with_9_the_request_waits_for_new_ones(
    nodes: Nodes, url: str, tmp_path: Path
) -> None:
    repository = slow_to_review(tmp_path / "slow")
    lead, hand = nodes.start(("coordinator", "lead"), ("worker", "hand", "--swarm.capabilities", "docs"))
    async with look(url, HID, tmp_path) as lab:
        swarm = await lab.door(make=False)
        door, request = nodes.dispatch("Review", "--capability", "docs", "--repo", str(repository))
        door.expect("task +running on hand")
        lead.kill9()
        hand.kill9()

        nodes.start(("coordinator", "new lead"), ("worker", "new hand", "--swarm.capabilities", "docs"))

        door.expect("taken over by new lead", 15)
        assert door.finish() == 0, door.output
        task = await entries(swarm, request, STEP)

    assert [entry.kind for entry in task] == ["queued", "started", "queued", "started", "done"]
