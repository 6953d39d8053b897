"""Caps: no more jobs of a capability than its cap in the whole swarm, whoever dies, freezes or comes."""

import asyncio
from datetime import timedelta

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.swarm.entries import Queued
from picoclaw.swarm.kv import as_json
from picoclaw.swarm.limits.look import read_in_use
from picoclaw.swarm.limits.slots import Held, Slots
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.subjects import token
from picoclaw.swarm.swarm import Me, Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, entries, step, template
from picoclaw.tests.support.together import Together
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

LEASE = timedelta(seconds=2)


async def capped(lab: Lab, **caps: int) -> Swarm:
    """A door to a swarm with these caps, set long ago."""
    door = await lab.door()
    await door.live.change({f"cap.{name}": cap for name, cap in caps.items()})
    return door


async def slots_held(swarm: Swarm, name: str = "noop") -> tuple[str, ...]:
    return (await read_in_use(swarm)).slots.get(name, ())


async def test_two_at_once_over_three_workers(lab: Lab) -> None:
    door = await capped(lab, noop=2)
    together = Together()
    await lab.coordinator(template("many", *(step(f"s{number}") for number in range(20))))
    for name in "abc":
        await lab.worker(executors(Runs(do=together)), name=name)
    request = await ask(door, template="many")
    ended = await end_of(door, request, 30)
    assert ended.head.state == "done"
    assert together.most == 2
    assert together.ended == 20

    async def all_back() -> bool:
        return not await slots_held(door)

    await wait_for_async(all_back, 5, "who holds no job gives the slot back")


@pytest.mark.long
async def test_a_demand_for_two_capabilities_takes_a_slot_of_each(lab: Lab) -> None:
    door = await capped(lab, docs=1, security=1)
    together = Together()
    runs = Runs("docs", "security", do=together)
    plan = template(
        "plan",
        *(step(f"d{number}", "docs") for number in range(4)),
        *(step(f"s{number}", "security") for number in range(4)),
        *(step(f"b{number}", "docs+security") for number in range(4)),
    )
    await lab.coordinator(plan)
    for name in "ab":
        await lab.worker(executors(runs), name=name, capabilities=["docs", "security"])
    ended = await end_of(door, await ask(door, template="plan"), 40)
    assert ended.head.state == "done"
    assert together.ended == 12
    assert together.most <= 2


@pytest.mark.long
async def test_a_lane_that_only_one_node_serves_gets_its_slot_although_others_are_busy(lab: Lab) -> None:
    door = await capped(lab, noop=1)
    await lab.coordinator(template("many", *(step(f"s{number}") for number in range(300))))
    busy = Runs(do=Together(0.1))
    await lab.worker(executors(busy), name="busy")
    await ask(door, template="many")
    await busy.next()
    mine = Runs()
    await lab.worker(executors(mine), name="alone")
    alone = await ask(door, demand="node:alone", capability="noop")
    assert (await end_of(door, alone, 30)).head.state == "done"


async def test_a_capability_that_is_capped_while_it_runs_begins_nothing_until_below(lab: Lab) -> None:
    door = await lab.door()
    places = asyncio.Semaphore(0)

    async def do(task: QueuedTask, context: Context) -> Result:
        begun.append(runs.active)
        if len(begun) <= 4:
            await places.acquire()
        else:
            await asyncio.sleep(0.1)
        return Result(summary="done")

    begun: list[int] = []
    runs = Runs(do=do)
    await lab.coordinator(template("many", *(step(f"s{number}") for number in range(8))))
    for name in "ab":
        await lab.worker(executors(runs), name=name, slots=2)
    request = await ask(door, template="many")
    await wait_for_async(lambda: runs.active == 4)
    await door.live.change({"cap.noop": 2})

    async def held(number: int) -> bool:
        return len(await slots_held(door)) == number

    await wait_for_async(lambda: held(4), 10, "slots for what runs already")
    places.release()
    places.release()
    await wait_for_async(lambda: len(runs.ended) == 2)
    await asyncio.sleep(1.5)  # nothing is to happen
    assert len(begun) == 4
    places.release()
    places.release()
    assert (await end_of(door, request, 20)).head.state == "done"
    assert max(begun[4:]) <= 2
    assert len(runs.ended) == 8


@pytest.mark.long
async def test_a_worker_that_is_gone_without_a_word_frees_its_slot_within_seconds(lab: Lab) -> None:
    door = await capped(lab, noop=1)
    gate = Gate()
    held = Runs(do=gate)
    await lab.coordinator()
    lost = await lab.worker(executors(held), name="lost")
    first = await ask(door, demand="noop")
    await held.next()
    other = Runs()
    await lab.worker(executors(other), name="other")
    began = asyncio.get_running_loop().time()
    await lost.crash()
    assert (await end_of(door, first, 20)).head.state == "done"
    assert asyncio.get_running_loop().time() - began < 10, "and not after the lease's 30 s"


async def test_a_slot_that_somebody_else_took_ends_its_job_and_hands_it_back(lab: Lab) -> None:
    door = await capped(lab, noop=1)
    await lab.coordinator()
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs), name="mine", ack_wait=LEASE)
    request = await ask(door, demand="noop")
    await runs.next()
    key = f"slot.{token('noop')}.0"
    stored = await door.leases.get(key)
    assert stored is not None
    thief = as_json({"capability": "noop", "holder": "thief", "node": "thief"})
    await door.leases.put(key, thief, expected=stored.seq)
    await wait_for_async(lambda: bool(runs.cancelled))
    gate.open()
    assert (await end_of(door, request, 20)).head.state == "done", "once the thief's lease has lapsed"
    handed = [entry for entry in await entries(door, request, STEP) if isinstance(entry, Queued)]
    assert [entry.reason for entry in handed][1:] == [
        "its slot of noop was lost: its node was cut off or frozen"
    ]
    assert handed[-1].excused == 1, "at no cost of an attempt"


async def two_slots(lab: Lab) -> tuple[Slots, list[Held]]:
    """A worker's slots, two of which it holds for no job."""
    door = await lab.door(me=Me(node="hand", run="hand-1"))
    await door.follow_limits()
    await door.live.change({"cap.noop": 2})
    await wait_for_async(lambda: door.live.record.caps)
    slots = Slots(door, length=timedelta(seconds=30), on_lost=lambda job, why: None)
    door.members.server.learn(door.live.changed_at + 60)
    assert await slots.take("noop")
    assert await slots.take("noop")
    return slots, slots.idle("noop")


async def test_a_slot_that_a_job_takes_while_another_is_given_back_stays(lab: Lab) -> None:
    slots, (first, second) = await two_slots(lab)
    giving = asyncio.create_task(slots.give_back_idle(0, lambda held: False))
    await asyncio.sleep(0)
    assert first not in slots._held, "its removal is under way"
    assert slots.bind(("noop",), "job")
    assert await giving == 1
    assert second.user == "job"
    assert slots.holds_any
    assert await slots_held(slots._swarm) == ("hand",)


async def test_a_slot_that_is_given_back_while_it_is_renewed_is_free_at_once(lab: Lab) -> None:
    slots, (first, _) = await two_slots(lab)
    await asyncio.gather(slots._renew(first), slots.give_back(first))
    assert await slots_held(slots._swarm) == ("hand",)


async def test_garbage_in_place_of_a_slot_is_left_out_of_what_is_in_use(lab: Lab) -> None:
    door = await capped(lab, noop=1)
    for number, garbage in enumerate((b"{", b"[]", b"{}", b'{"capability": "noop"}', b"null")):
        await door.wire.store(door.leases.subject(f"slot.{token('noop')}.{number}"), garbage)
    good = as_json({"capability": "noop", "holder": "r", "node": "n"})
    await door.wire.store(door.leases.subject(f"slot.{token('noop')}.7"), good)
    assert dict((await read_in_use(door)).slots) == {"noop": ("n",)}
