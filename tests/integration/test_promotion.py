"""Roles that move: a worker leads while no coordinator does, gives the role back, and loses no request."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from picoclaw.roles.promotion import DUTY
from picoclaw.swarm.entries import Accepted, Owner
from picoclaw.swarm.janitor import DUTY as JANITOR
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import Lab, Running, ask, end_of, entries, kinds
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

Start = Callable[..., Awaitable[ChildNode]]


@pytest.fixture
async def child(lab: Lab) -> AsyncIterator[Start]:
    """Start nodes in processes of their own; they are killed with the test."""
    children: list[ChildNode] = []

    async def start(role: str, name: str, **more: Any) -> ChildNode:
        children.append(await ChildNode.start(lab, role, name, **more))
        return children[-1]

    yield start
    for each in children:
        if each.process.returncode is None:
            each.process.send_signal(signal.SIGCONT)
        await each.kill()


async def owners(swarm: Swarm, request: str) -> list[str]:
    return [entry.owner for entry in await entries(swarm, request) if isinstance(entry, Accepted | Owner)]


async def owned_by(swarm: Swarm, request: str, *nodes: str) -> None:
    """Wait until a request's owners, one after the other, were these."""

    async def there() -> bool:
        return await owners(swarm, request) == list(nodes)

    await wait_for_async(there, 15)


async def leading(watching: Swarm) -> list[str]:
    await watching.read_members()
    return sorted(member.beat.node for member in watching.members.living() if member.leads)


async def leads(watching: Swarm, *nodes: str) -> None:
    """Wait until just these nodes say that they coordinate."""

    async def there() -> bool:
        return await leading(watching) == list(nodes)

    await wait_for_async(there, 15)


async def judges(node: Running) -> None:
    await wait_for_async(lambda: node.swarm.members.may_declare)


async def test_a_worker_alone_takes_the_role_after_a_node_timeout_and_serves_what_waits(lab: Lab) -> None:
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    runs = Runs()
    before = asyncio.get_running_loop().time()
    await lab.worker(executors(runs), name="hand", promotable=True)
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    assert asyncio.get_running_loop().time() - before >= 0.8, "a coordinator might have been on its way"
    assert await owners(swarm, request) == ["hand"]
    await leads(swarm, "hand")
    await wait_for_async(lambda: swarm.leases.get(JANITOR), 5, "it cleans up, too")


async def test_a_worker_that_may_not_lets_requests_wait_for_a_coordinator(lab: Lab) -> None:
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    hand = await lab.worker(executors(Runs()), name="hand", promotable=False)
    await judges(hand)
    await asyncio.sleep(1)
    assert await kinds(swarm, request) == []
    await lab.coordinator(name="lead")
    assert (await end_of(swarm, request)).head.state == "done"
    assert await owners(swarm, request) == ["lead"]


async def test_the_only_coordinator_is_killed_a_worker_goes_on_and_gives_back_when_one_returns(
    lab: Lab, child: Start
) -> None:
    swarm = await lab.door()
    first = await child("coordinator", "first")
    gate = Gate()
    runs = Runs(do=gate)
    hand = await lab.worker(executors(runs), name="hand", promotable=True, slots=2)
    await judges(hand)
    held, waiting = await ask(swarm, demand="noop"), await ask(swarm, demand="elsewhere")
    await runs.next()
    await owned_by(swarm, waiting, "first")

    loop = asyncio.get_running_loop()
    killed = loop.time()
    await first.kill()
    await leads(swarm, "hand")
    assert loop.time() - killed < 3, "not by the node timeout, which is as long as a lease here"
    await owned_by(swarm, held, "first", "hand")
    await owned_by(swarm, waiting, "first", "hand")
    new = await ask(swarm, demand="elsewhere")
    await owned_by(swarm, new, "hand")

    await lab.coordinator(name="back")
    await leads(swarm, "back")
    await owned_by(swarm, held, "first", "hand", "back")
    await owned_by(swarm, new, "hand", "back")
    assert await swarm.leases.get(DUTY) is None, "given back, not left to run out"
    gate.open()
    assert (await end_of(swarm, held)).head.state == "done"
    assert await kinds(swarm, held) == ["accepted", "planned", "owner", "owner", "done"]
    assert runs.tasks == [f"{held}.task"], "what ran went on running"
    await lab.worker(executors(Runs("elsewhere")), name="other")
    for request in (waiting, new):
        assert (await end_of(swarm, request)).head.state == "done"


@pytest.mark.long
async def test_of_several_workers_one_leads_and_another_when_that_one_is_killed(
    lab: Lab, child: Start
) -> None:
    swarm = await lab.door()
    workers = {name: await child("worker", name, promotable=True) for name in ("a", "b", "c")}

    async def one() -> str:
        found = await leading(swarm)
        return found[0] if len(found) == 1 else ""

    leader = await wait_for_async(one)
    request = await ask(swarm, demand="nobody")
    await owned_by(swarm, request, leader)
    await workers.pop(leader).kill()

    async def another() -> str:
        found = [name for name in await leading(swarm) if name != leader]
        return found[0] if len(found) == 1 else ""

    heir = await wait_for_async(another)
    await owned_by(swarm, request, leader, heir)


@pytest.mark.long
async def test_a_promoted_worker_that_was_frozen_past_its_lease_leads_no_more(lab: Lab, child: Start) -> None:
    swarm = await lab.door()
    frozen = await child("worker", "frozen", promotable=True)
    await leads(swarm, "frozen")
    first = await ask(swarm, demand="nobody")
    await owned_by(swarm, first, "frozen")
    hand = await lab.worker(executors(Runs()), name="hand", promotable=True)
    await judges(hand)
    frozen.process.send_signal(signal.SIGSTOP)
    await owned_by(swarm, first, "frozen", "hand")
    second = await ask(swarm, demand="noop")
    assert (await end_of(swarm, second)).head.state == "done"

    frozen.process.send_signal(signal.SIGCONT)
    await leads(swarm, "hand")
    third = await ask(swarm, demand="noop")
    assert (await end_of(swarm, third)).head.state == "done"
    assert await owners(swarm, third) == ["hand"]
    assert await owners(swarm, first) == ["frozen", "hand"]


async def test_a_draining_coordinator_hands_its_requests_to_another_before_it_says_goodbye(
    lab: Lab,
) -> None:
    swarm = await lab.door()
    gate = Gate()
    runs = Runs(do=gate)
    first = await lab.coordinator(name="first", executors=executors(runs), capabilities=["noop"])
    request = await ask(swarm, demand="noop")
    await runs.next()
    await owned_by(swarm, request, "first")
    await lab.coordinator(name="second")
    await wait_for_async(lambda: "second" in first.swarm.members.table)
    stopping = asyncio.create_task(first.stop())
    await owned_by(swarm, request, "first", "second")
    assert not stopping.done(), "its own job still runs"
    gate.open()
    await stopping
    assert (await end_of(swarm, request)).head.state == "done"
    assert await kinds(swarm, request) == ["accepted", "planned", "owner", "done"]
    assert await kinds(swarm, request, "task") == ["queued", "started", "done"]


async def test_a_request_that_was_handed_to_a_worker_as_it_gave_the_role_back_is_taken_from_it(
    lab: Lab,
) -> None:
    swarm = await lab.door()
    hand = await lab.worker(executors(Runs()), name="hand", promotable=True)
    lead = await lab.coordinator(name="lead")
    request = await ask(swarm, demand="nobody")
    await owned_by(swarm, request, "lead")

    async def planned() -> bool:
        return (await swarm.log.request_head(request)).planned

    await wait_for_async(planned)
    # What a draining coordinator writes that still believes the worker to lead.
    head = await swarm.log.request_head(request)
    late = Owner(by="gone", owner="hand", run=hand.swarm.me.run)
    await swarm.log.append(request, "_", late, expected=head.seq)
    await owned_by(swarm, request, "lead", "hand", "lead")
    assert lead.swarm.members.status("hand") == "online"
