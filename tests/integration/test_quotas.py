"""Quotas: what one request, and one H-id, may have at work and open."""

import asyncio

import pytest

from picoclaw.errors import QueueFull
from picoclaw.swarm.submission import new_request, submit
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of, step, template
from picoclaw.tests.support.together import Together
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

MANY = template("many", *(step(f"s{number}") for number in range(12)))


async def test_one_request_has_no_more_at_work_than_its_quota_and_another_passes_it(lab: Lab) -> None:
    door = await lab.door()
    await door.live.change({"request.running": 2})
    large, small = Together(0.1), Together(0)
    await lab.coordinator(MANY)
    await lab.worker(executors(Runs(do=large), Runs("quick", do=small)), slots=9)
    first = await ask(door, template="many")
    second = await ask(door, demand="quick")
    assert (await end_of(door, second)).head.state == "done"
    assert large.ended < 12
    assert (await end_of(door, first)).head.state == "done"
    assert large.most == 2


async def test_two_coordinators_share_the_quota_of_the_tenant_and_nobody_starves(lab: Lab) -> None:
    door = await lab.door()
    await door.live.change({"tenant.running": 3})
    together = Together(0.05)
    for _ in range(2):
        await lab.coordinator(MANY)
    await lab.worker(executors(Runs(do=together)), slots=20)
    requests = [await ask(door, template="many") for _ in range(6)]
    ends = await asyncio.gather(*(end_of(door, request, 40) for request in requests))
    assert [end.head.state for end in ends] == ["done"] * 6
    assert together.ended == 72
    assert together.most <= 3


@pytest.mark.long
async def test_a_foreign_message_on_a_lane_that_nobody_serves_uses_no_quota_for_ever(lab: Lab) -> None:
    door = await lab.door()
    await door.live.change({"tenant.running": 1})
    foreign = door.names.task("nobody-0123456789", 1, "r-foreign", "t")
    await door.wire.store(foreign, b"garbage")
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    assert (await end_of(door, await ask(door, demand="noop"), 30)).head.state == "done"


async def test_a_raised_quota_lets_more_out_at_once(lab: Lab) -> None:
    door = await lab.door()
    await door.live.change({"tenant.running": 1, "request.running": 1})
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator(MANY)
    await lab.worker(executors(runs), slots=20)
    request = await ask(door, template="many")
    await runs.next()
    await door.live.change({"tenant.running": None, "request.running": 5})
    await wait_for_async(lambda: runs.active == 5)
    gate.open()
    assert (await end_of(door, request)).head.state == "done"
    assert runs.most == 5


async def test_a_plan_over_the_quota_fails_the_request_in_words(lab: Lab) -> None:
    door = await lab.door()
    await door.live.change({"request.queued": 11})
    await lab.coordinator(MANY)
    ended = await end_of(door, await ask(door, template="many"))
    assert ended.head.state == "failed"
    assert "the plan has 12 tasks, one request may have 11 (request.queued)" in ended.head.reason


@pytest.mark.parametrize("coordinated", [True, False])
async def test_over_the_quota_of_open_requests_the_door_refuses(lab: Lab, coordinated: bool) -> None:
    door = await lab.door()
    await door.live.change({"tenant.queued": 2})
    if coordinated:
        node = await lab.coordinator()
    requests = [await ask(door, demand="nobody") for _ in range(2)]
    third = new_request("third", demand="nobody")
    with pytest.raises(QueueFull, match=r"queue full: 2 requests of .* are open and 2 may be"):
        await submit(door, third)
    again = new_request("do it", demand="nobody", key="one")
    with pytest.raises(QueueFull):
        await submit(door, again)
    if coordinated:
        from picoclaw.swarm.cancel import cancel_request

        await cancel_request(door, requests[0], by="test", why="test")

        async def admitted() -> bool:
            try:
                return await submit(door, third)
            except QueueFull:
                return False

        await wait_for_async(admitted)
        assert node.task.done() is False
