"""Work that an agent hands on: a request of its own, once per call, without a slot, ended with its parent."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from picoclaw.capabilities.agent.approvals.decide import decide
from picoclaw.capabilities.agent.approvals.handed_on import held_to
from picoclaw.capabilities.agent.approvals.policy import Policy, Rule
from picoclaw.capabilities.agent.budget.limits import Budget
from picoclaw.capabilities.agent.context import Delegation
from picoclaw.capabilities.executor import Context
from picoclaw.errors import FinalError, UsageError
from picoclaw.roles.agents.delegation import WIDEST
from picoclaw.roles.context import JobContext
from picoclaw.roles.coordinator import Coordinator
from picoclaw.swarm.cancel import cancel_request
from picoclaw.swarm.entries import Accepted
from picoclaw.swarm.look import Listed, look_around, read_requests
from picoclaw.swarm.pause import PauseRecord, pause_request, resume_request
from picoclaw.swarm.records import Parent, QueuedTask, Request, Result
from picoclaw.swarm.sharing.accounts import Accounts
from picoclaw.swarm.sharing.spending import tree_key
from picoclaw.swarm.swarm import Me, Swarm
from picoclaw.swarm.views.requests import task_row
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of, entries, kinds
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SOON = timedelta(seconds=20)
HELD = Policy(rules=(Rule(tool="bash", what="curl*", decision="deny"),))


def swarm_side(context: Context) -> JobContext:
    assert isinstance(context, JobContext)
    return context


async def hand_on(
    delegation: Delegation, demand: str, key: str = "call-1", text: str = "a part of it"
) -> Result:
    return await delegation.ask(
        text, demand=demand, key=key, input={}, timeout=SOON, budget=Budget(tokens=1000), policy=HELD
    )


def parent_of(do: Callable[[QueuedTask, JobContext], Awaitable[Result]]) -> Runs:
    async def run(task: QueuedTask, context: Context) -> Result:
        return await do(task, swarm_side(context))

    return Runs("lead", do=run)


async def children(swarm: Swarm, root: str) -> list[str]:
    account, _ = await Accounts(swarm.wire, swarm.names).read(tree_key(root))
    return list(account.requests)


async def request_of(swarm: Swarm, request: str) -> Request:
    first = (await entries(swarm, request))[0]
    assert isinstance(first, Accepted)
    return first.request


async def test_a_worker_with_one_slot_hands_work_on_to_itself(lab: Lab) -> None:
    """To any depth, several at once; never two jobs in the slot."""
    working, most = 0, 0

    async def lead(task: QueuedTask, context: JobContext) -> Result:
        depth = 0 if task.parent is None else task.parent.depth
        if depth < 2:
            parts = await asyncio.gather(
                *(hand_on(context.delegation, "lead", key=f"part-{number}") for number in range(2))
            )
            assert not context.slot.job.parked
            return Result(summary="+".join(part.summary.splitlines()[0] for part in parts))
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.01)
        working -= 1
        return Result(summary="leaf")

    door = await lab.door()
    await lab.coordinator()
    worker = await lab.worker(executors(parent_of(lead)), slots=1)
    root = await ask(door, demand="lead")
    ended = await end_of(door, root, 40)
    assert ended.head.state == "done"
    assert most == 1
    found = await children(door, root)
    assert len(found) == 6
    parents = [(await request_of(door, child)).parent for child in found]
    assert sorted(parent.depth for parent in parents if parent) == [1, 1, 2, 2, 2, 2]
    assert all(parent.root == root for parent in parents if parent)
    assert [len(parent.payers) for parent in parents if parent and parent.depth == 2] == [2, 2, 2, 2]
    assert worker.node.swarm is not None


async def test_the_same_call_is_the_same_request_through_a_crash(lab: Lab) -> None:
    gate = Gate()
    part = Runs("part", do=gate)

    async def lead(task: QueuedTask, context: JobContext) -> Result:
        return await hand_on(context.delegation, "part")

    door = await lab.door()
    await lab.coordinator()
    await lab.worker(executors(part))
    first = await lab.worker(executors(parent_of(lead)))
    root = await ask(door, demand="lead")
    await part.next()
    await lab.worker(executors(parent_of(lead)))
    await first.crash()

    async def taken_over() -> bool:
        return [entry.kind for entry in await entries(door, root, "task")].count("started") == 2

    await wait_for_async(taken_over, 15, "the second worker has the parent")
    gate.open()
    ended = await end_of(door, root, 20)
    assert ended.head.state == "done"
    assert len(part.tasks) == 1
    assert len(await children(door, root)) == 1


async def test_a_coordinator_that_is_full_takes_what_its_requests_wait_for(lab: Lab) -> None:
    door = await lab.door(me=Me(node="full", run="run-of-full"))
    coordinator = Coordinator(door, (), can_run_here=lambda demand, capability: False, max_requests=1)
    coordinating = asyncio.create_task(coordinator.run())
    try:
        first = await ask(door, "first", demand="part")

        async def released() -> bool:
            return await kinds(door, first, "task") == ["queued"]

        await wait_for_async(released, 10, "the only one that it may own")
        second = await ask(door, "second", demand="part")
        above = Parent(task=f"{first}.task", root=first, depth=1)
        below = await ask(door, "below", demand="part", priority=0, parent=above)

        async def owned() -> bool:
            return await kinds(door, below) == ["accepted", "planned"]

        await wait_for_async(owned, 10, "what the first waits for")
        assert (await request_of(door, below)).priority == 0
        assert await door.inbox.ids() == {second}
        for ended in (below, first):
            await cancel_request(door, ended, why="room")
        await wait_for_async(lambda: _empty(door), 10, "there is room again")
    finally:
        coordinating.cancel()
        await asyncio.gather(coordinating, return_exceptions=True)


async def _empty(swarm: Swarm) -> bool:
    return not await swarm.inbox.ids()


async def test_what_was_handed_on_ends_with_who_waits_for_it(lab: Lab) -> None:
    part = Runs("part", do=Gate())

    async def lead(task: QueuedTask, context: JobContext) -> Result:
        return await hand_on(context.delegation, "part")

    door = await lab.door()
    await lab.coordinator()
    await lab.worker(executors(part, parent_of(lead)))
    root = await ask(door, demand="lead")
    await part.next()
    (child,) = await children(door, root)
    await cancel_request(door, root, why="not needed")
    assert (await end_of(door, root)).head.state == "cancelled"
    ended = await end_of(door, child)
    assert ended.head.state == "cancelled"
    assert "which handed it on" in ended.head.reason
    await wait_for_async(lambda: _true(part.cancelled), 5, "the child's job is stopped")


async def _true(what: object) -> bool:
    return bool(what)


async def test_what_fails_or_finds_nobody_is_told_in_words(lab: Lab) -> None:
    said: list[str] = []

    async def part(task: QueuedTask, context: Context) -> Result:
        raise FinalError("the disk is full")

    async def lead(task: QueuedTask, context: JobContext) -> Result:
        with pytest.raises(FinalError) as failed:
            await hand_on(context.delegation, "part")
        said.append(str(failed.value))
        return Result(summary="went on without it")

    door = await lab.door()
    await lab.coordinator()
    await lab.worker(executors(Runs("part", do=part), parent_of(lead)), slots=1)
    ended = await end_of(door, await ask(door, demand="lead"))
    assert ended.head.state == "done"
    assert "ended failed" in said[0]
    assert "the disk is full" in said[0]


async def test_limits_on_depth_and_width(lab: Lab) -> None:
    said: list[str] = []

    async def lead(task: QueuedTask, context: JobContext) -> Result:
        for number in range(WIDEST + 1):
            try:
                await hand_on(context.delegation, "part", key=f"part-{number}")
            except UsageError as error:
                said.append(str(error))
        await hand_on(context.delegation, "part", key="part-0")  # the same call as before
        deep = Parent(task=task.id, root=task.request, depth=4)
        context.queued = task.model_copy(update={"parent": deep})
        with pytest.raises(UsageError, match="goes no deeper"):
            await hand_on(context.delegation, "part", key="deep")
        return Result()

    door = await lab.door()
    await lab.coordinator()
    part = Runs("part")
    await lab.worker(executors(part, parent_of(lead)), slots=1)
    ended = await end_of(door, await ask(door, demand="lead"), 30)
    assert ended.head.state == "done", ended.head.reason
    assert len(said) == 1
    assert "which is the most" in said[0]
    assert len(part.tasks) == WIDEST


async def test_caps_and_quotas_of_one_do_not_lock_parent_and_child_out(lab: Lab) -> None:
    async def lead(task: QueuedTask, context: JobContext) -> Result:
        if task.parent is None:
            return await hand_on(context.delegation, "lead")
        return Result(summary="the part")

    door = await lab.door()
    await door.live.change({"cap.lead": 1, "tenant.running": 1})
    await lab.coordinator()
    await lab.worker(executors(parent_of(lead)), slots=2)
    ended = await end_of(door, await ask(door, demand="lead"), 40)
    assert ended.head.state == "done"


async def test_who_does_it_is_held_to_the_policy_of_who_handed_it_on(lab: Lab) -> None:
    """Else an agent that may not do a thing could have another one do it; through any depth."""
    decisions: list[str] = []

    async def lead(task: QueuedTask, context: JobContext) -> Result:
        held = held_to(Policy(), task)
        decisions.append(decide(held, "bash", {"command": "curl x"}).decision)
        if len(decisions) == 1:
            await hand_on(context.delegation, "lead")
        elif len(decisions) == 2:
            await context.delegation.ask(
                "more", demand="lead", key="k", input={}, timeout=SOON, budget=Budget(), policy=held
            )
        return Result(summary="done")

    door = await lab.door()
    await lab.coordinator()
    await lab.worker(executors(parent_of(lead)))
    assert (await end_of(door, await ask(door, demand="lead"), 40)).head.state == "done"
    assert decisions == ["allow", "deny", "deny"]


async def test_what_was_handed_on_is_held_with_it(lab: Lab) -> None:
    """By a pause of the request that handed it on, or of the one that a person asked; and goes on with it."""
    held: list[str] = []
    waits, went_on = asyncio.Event(), asyncio.Event()

    async def lead(task: QueuedTask, context: JobContext) -> Result:
        depth = 0 if task.parent is None else task.parent.depth
        if depth < 2:
            return await hand_on(context.delegation, "lead")
        record = PauseRecord(request=root, by="ann", since=0)
        await pause_request(context.swarm, record)
        held.append(await context.pauses.held())
        waits.set()
        await context.pauses.wait()
        went_on.set()
        return Result(summary="leaf")

    door = await lab.door()
    await lab.coordinator()
    await lab.worker(executors(parent_of(lead)), slots=1)
    root = await ask(door, demand="lead")
    async with asyncio.timeout(20):
        await waits.wait()
    assert held == [f"paused by ann; `picoclaw resume {root}` lets it go on"]
    around = await look_around(door, probe=False)
    for request in await children(door, root):
        (state,) = await read_requests(door, [Listed(request, 0.0)])
        assert f"`picoclaw resume {root}`" in task_row(state, "task", None, around).reason
    assert not went_on.is_set()
    await resume_request(door, root)
    assert (await end_of(door, root)).head.state == "done"
    assert went_on.is_set()
