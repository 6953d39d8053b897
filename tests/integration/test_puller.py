"""Pulling: never more than the free slots, from many consumers, through all that can happen to one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from picoclaw.swarm.delivered import Delivered
from picoclaw.swarm.demand import Demand, parse_demand
from picoclaw.swarm.lanes import lane_key
from picoclaw.swarm.puller import Puller, Source
from picoclaw.swarm.subjects import LEVELS
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.swarm import NODE_TIMEOUT, Lab
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

NOOP = parse_demand("noop")


class Slots:
    """What a worker is to its puller: slots, and what lies in them."""

    def __init__(self, swarm: Swarm, number: int) -> None:
        self.swarm = swarm
        self.number = number
        self.held: list[Delivered] = []
        self.subjects: list[str] = []
        self.refused = 0
        self.most = 0
        self.puller = Puller(swarm.wire, free=lambda: self.free, take=self._take, node_timeout=NODE_TIMEOUT)

    @property
    def free(self) -> int:
        return self.number - len(self.held)

    def _take(self, delivered: Delivered) -> bool:
        if self.free <= 0:
            self.refused += 1
            return False
        self.held.append(delivered)
        self.subjects.append(delivered.subject)
        self.most = max(self.most, len(self.held))
        return True

    async def finish_all(self) -> None:
        """Ack what is held, and free its slots."""
        held, self.held = self.held, []
        for delivered in held:
            await delivered.ack()
        self.puller.slot_freed()

    async def work(self) -> None:
        """Finish whatever comes, for ever."""
        while True:
            await self.finish_all()
            await asyncio.sleep(0.002)


@asynccontextmanager
async def pulling(slots: Slots, *sources: Source) -> AsyncIterator[Slots]:
    async with slots.puller:
        for source in sources:
            slots.puller.add(source)
        task = asyncio.create_task(slots.puller.run())
        try:
            yield slots
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def lane(swarm: Swarm, demand: Demand = NOOP, level: int = 1, *, make: bool = True) -> Source:
    key = await swarm.lanes.ensure(demand, level) if make else lane_key(demand)
    return Source(swarm.names.tasks, swarm.names.lane_consumer(key, level), level, 4)


async def put(swarm: Swarm, number: int, *, level: int = 1, demand: Demand = NOOP, tag: str = "t") -> None:
    key = lane_key(demand)
    for n in range(number):
        await swarm.wire.store(swarm.names.task(key, level, "r-x", f"{tag}{n}"), b"x")


async def test_a_burst_over_all_levels_never_takes_more_than_the_free_slots(lab: Lab) -> None:
    swarm = await lab.door()
    sources = [await lane(swarm, level=level) for level in LEVELS]
    for level in LEVELS:
        await put(swarm, 40, level=level, tag=f"l{level}-")
    async with pulling(Slots(swarm, 3), *sources) as slots:
        working = asyncio.create_task(slots.work())
        await wait_for_async(lambda: len(slots.subjects) == 160)
        working.cancel()
        assert slots.most <= 3
        assert len(set(slots.subjects)) == 160, "each was taken once"


async def test_with_no_free_slot_nothing_is_taken_and_what_came_is_handed_back_at_once(lab: Lab) -> None:
    swarm = await lab.door()
    source = await lane(swarm)
    async with pulling(Slots(swarm, 1), source) as full, pulling(Slots(swarm, 1), source) as other:
        await put(swarm, 2)
        await wait_for_async(lambda: len(full.held) == len(other.held) == 1)
        await put(swarm, 1, tag="third")
        await asyncio.sleep(0.2)
        assert len(full.held) == len(other.held) == 1
        await other.finish_all()
        await wait_for_async(lambda: len(other.subjects) == 2)
        assert other.subjects[1].endswith("third0")


async def test_a_consumer_that_is_not_there_yet_is_asked_again(lab: Lab) -> None:
    swarm = await lab.door()
    missing = await lane(swarm, make=False)
    async with pulling(Slots(swarm, 1), missing) as slots:
        await put(swarm, 1)
        await asyncio.sleep(0.3)
        assert slots.subjects == []
        await lane(swarm)
        await wait_for_async(lambda: len(slots.subjects) == 1)


async def test_a_consumer_that_is_deleted_and_made_anew_is_pulled_from_again(lab: Lab) -> None:
    swarm = await lab.door()
    source = await lane(swarm)
    async with pulling(Slots(swarm, 5), source) as slots:
        await put(swarm, 1)
        await wait_for_async(lambda: len(slots.subjects) == 1)
        await slots.finish_all()
        await asyncio.sleep(0.1)  # a pull is parked there again
        await swarm.wire.api(f"CONSUMER.DELETE.{source.stream}.{source.consumer}")
        swarm.lanes.forget_made()
        await lane(swarm)
        await put(swarm, 1, tag="again")
        await wait_for_async(lambda: len(slots.subjects) == 2)


async def test_a_source_that_is_removed_is_pulled_from_no_more(lab: Lab) -> None:
    swarm = await lab.door()
    one, two = await lane(swarm), await lane(swarm, level=2)
    async with pulling(Slots(swarm, 5), one, two) as slots:
        await put(swarm, 1, level=2)
        await wait_for_async(lambda: len(slots.subjects) == 1)
        slots.puller.remove(one.stream, one.consumer)
        await asyncio.sleep(0.6)  # its parked pull has expired
        await put(swarm, 3)
        await put(swarm, 1, level=2, tag="last")
        await wait_for_async(lambda: len(slots.subjects) == 2)
        await asyncio.sleep(0.2)
        assert len(slots.subjects) == 2


async def test_after_stop_what_still_arrives_is_handed_back_and_costs_nobody_the_ack_wait(lab: Lab) -> None:
    swarm = await lab.door()
    source = await lane(swarm)
    async with pulling(Slots(swarm, 5), source) as stopped:
        await put(swarm, 1, tag="first")
        await wait_for_async(lambda: len(stopped.subjects) == 1)
        stopped.puller.stop()
        async with pulling(Slots(swarm, 5), source) as other:
            await put(swarm, 5)
            await wait_for_async(lambda: len(other.subjects) == 5)
        assert len(stopped.subjects) == 1


async def test_what_is_delivered_while_the_puller_ends_is_handed_back(lab: Lab) -> None:
    swarm = await lab.door()
    source = await lane(swarm)
    for turn in range(5):
        async with pulling(Slots(swarm, 5), source) as ending:
            await asyncio.sleep(0.02)
            putting = asyncio.create_task(put(swarm, 10, tag=f"t{turn}-"))
            await asyncio.sleep(0.002 * turn)
        await putting
        for delivered in ending.held:
            await delivered.nak()
    async with pulling(Slots(swarm, 100), source) as other:
        await wait_for_async(lambda: len(set(other.subjects)) == 50, 5, "nothing is stranded")


async def test_the_broker_asks_the_best_free_one_first(lab: Lab) -> None:
    swarm = await lab.door()
    source = await lane(swarm)

    def ranked(rank: int) -> Source:
        return Source(source.stream, source.consumer, source.level, rank)

    async with (
        pulling(Slots(swarm, 1), ranked(7)) as last,
        pulling(Slots(swarm, 1), ranked(4)) as middle,
        pulling(Slots(swarm, 1), ranked(0)) as first,
    ):
        await asyncio.sleep(0.1)
        order: list[int] = []
        for _ in range(3):
            before = [len(each.subjects) for each in (first, middle, last)]
            await put(swarm, 1, tag=f"n{len(order)}")
            await wait_for_async(
                lambda: sum(len(each.subjects) for each in (first, middle, last)) > len(order)
            )
            after = [len(each.subjects) for each in (first, middle, last)]
            order.append([a - b for a, b in zip(after, before, strict=True)].index(1))
        assert order == [0, 1, 2]


async def test_lanes_of_one_level_take_turns_and_none_waits_for_another_to_be_empty(lab: Lab) -> None:
    swarm = await lab.door()
    demands = [parse_demand(name) for name in ("one", "two", "three")]
    for demand in demands:
        await swarm.lanes.ensure(demand, 1)
        await put(swarm, 40, demand=demand, tag=str(demand))
    slots = Slots(swarm, 1)
    async with pulling(slots, *[await lane(swarm, demand) for demand in demands]):
        working = asyncio.create_task(slots.work())
        await wait_for_async(lambda: len(slots.subjects) >= 60)
        working.cancel()
    first = slots.subjects[:60]
    for demand in demands:
        assert sum(lane_key(demand) in subject for subject in first) >= 10
