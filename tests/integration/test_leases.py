"""Leases: at most one holder of a duty, fenced by the record's revision."""

import asyncio
from datetime import timedelta

import pytest

from picoclaw.swarm.leases import Lease
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.swarm import Lab
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

LENGTH = timedelta(seconds=0.3)


def lease(swarm: Swarm, holder: str, duty: str = "janitor") -> Lease:
    return Lease(swarm.leases, duty, holder, length=LENGTH)


async def test_of_many_contenders_one_holds(lab: Lab) -> None:
    swarm = await lab.door()

    async def contend(contender: Lease, order: int) -> bool:
        for _ in range(order):
            await asyncio.sleep(0)  # a little later than the one before: reads and writes interleave
        return await contender.hold()

    for duty in range(10):
        contenders = [lease(swarm, f"run {number}", f"duty-{duty}") for number in range(12)]
        held = await asyncio.gather(*(contend(each, order) for order, each in enumerate(contenders)))
        assert held.count(True) == 1
        assert [each.held for each in contenders] == held


async def test_the_holder_renews_and_nobody_takes_it_from_him(lab: Lab) -> None:
    swarm = await lab.door()
    mine, theirs = lease(swarm, "me"), lease(swarm, "them")
    for _ in range(8):
        assert await mine.hold()
        assert not await theirs.hold()
        await asyncio.sleep(0.1)


async def test_a_silent_holder_is_followed_after_the_leases_length_and_learns_it(lab: Lab) -> None:
    swarm = await lab.door()
    silent, next_one = lease(swarm, "silent"), lease(swarm, "next")
    assert await silent.hold()
    assert not await next_one.hold()
    before = asyncio.get_running_loop().time()
    await wait_for_async(next_one.hold)
    assert asyncio.get_running_loop().time() - before >= LENGTH.total_seconds() * 0.9
    assert not await silent.hold(), "fenced by the revision"
    assert not silent.held


async def test_a_lease_given_back_is_free_at_once(lab: Lab) -> None:
    swarm = await lab.door()
    mine, theirs = lease(swarm, "me"), lease(swarm, "them")
    assert await mine.hold()
    await mine.release()
    assert not mine.held
    assert await theirs.hold()
    await mine.release()  # it is not mine any more: nothing happens
    assert await theirs.hold()


async def test_a_holder_that_restarts_goes_on(lab: Lab) -> None:
    swarm = await lab.door()
    assert await lease(swarm, "me").hold()
    assert await lease(swarm, "me").hold()


async def test_duties_do_not_touch_each_other(lab: Lab) -> None:
    swarm = await lab.door()
    assert await lease(swarm, "me", "one").hold()
    assert await lease(swarm, "them", "two").hold()


async def test_of_several_coordinators_one_is_the_janitor_and_another_follows_it(lab: Lab) -> None:
    swarm = await lab.door()
    first = await lab.coordinator(name="first")

    async def holder() -> bytes:
        stored = await swarm.leases.get("janitor")
        return stored.data if stored else b""

    await wait_for_async(holder)
    assert first.run.encode() in await holder()
    second = await lab.coordinator(name="second")
    assert first.run.encode() in await holder()
    await first.stop()
    await lab.coordinator(name="third")

    async def passed_on() -> bool:
        return first.run.encode() not in await holder()

    await wait_for_async(passed_on)
    assert not second.task.done()
