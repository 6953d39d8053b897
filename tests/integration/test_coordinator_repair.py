"""What is lost behind our back comes again: queue messages, consumers, the server itself, room in the log."""

import asyncio
import contextlib
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.errors import QueueFull
from picoclaw.swarm.demand import parse_demand
from picoclaw.swarm.entries import Started
from picoclaw.swarm.lanes import lane_key
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.streams import Limits
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.wire import ApiError
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.swarm import (
    STEP,
    Lab,
    ask,
    end_of,
    entries,
    in_queue,
    kinds,
    lab_on,
    step,
    template,
)
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(50)]


async def purge_queue(swarm: Swarm) -> None:
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.tasks}")


async def has_kinds(swarm: Swarm, request: str, *wanted: str) -> None:
    async def there() -> bool:
        return await kinds(swarm, request, STEP) == list(wanted)

    await wait_for_async(there)


# --- queue messages ---


async def test_a_lost_queue_message_is_restored(lab: Lab) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await has_kinds(swarm, request, "queued")
    await wait_for_async(lambda: _not_empty(swarm))
    await purge_queue(swarm)
    runs = Runs()
    await lab.worker(executors(runs))
    assert (await end_of(swarm, request)).head.state == "done"
    assert await kinds(swarm, request, STEP) == ["queued", "started", "done"]
    assert len(runs.tasks) == 1


async def _not_empty(swarm: Swarm) -> bool:
    return await in_queue(swarm) > 0


async def test_a_lost_message_of_a_task_whose_holder_died_is_restored(lab: Lab) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    first = await lab.worker(executors(Runs(do=Gate())), name="first")
    request = await ask(swarm, demand="noop")
    await has_kinds(swarm, request, "queued", "started")
    await purge_queue(swarm)
    await first.crash()
    runs = Runs()
    await lab.worker(executors(runs), name="second")
    assert (await end_of(swarm, request)).head.state == "done"
    assert len(runs.tasks) == 1


async def test_a_consumer_deleted_behind_our_back_is_made_again(lab: Lab) -> None:
    await lab.coordinator()
    runs = Runs()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"
    name = swarm.names.lane_consumer(lane_key(parse_demand("noop")), 1)
    await swarm.wire.api(f"CONSUMER.DELETE.{swarm.names.tasks}.{name}")
    assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"
    assert len(runs.tasks) == 2


# --- the server ---


async def test_a_server_killed_under_load_loses_nothing_and_nothing_runs_twice(
    start_nats: StartNats, lab: Lab
) -> None:
    """It is away for longer than the ack wait: on its return it delivers everything again at once."""
    server = start_nats()

    async def briefly(task: QueuedTask, context: Context) -> Result:
        await asyncio.sleep(0.02)
        return Result(summary=task.task.step)

    runs = Runs("noop", do=briefly)
    gate = Gate()
    held = Runs("held", do=gate)
    plan = template("plan", *(step(f"t{n}") for n in range(120)), *(step(f"h{n}", "held") for n in range(4)))
    async with lab_on(server.url, lab.folder) as other:
        other.nats = replace(other.nats, ack_wait=timedelta(seconds=1))
        await other.coordinator(plan, name="c")
        for name in ("w1", "w2"):
            await other.worker(executors(runs, held), name=name, slots=6)
        swarm = await other.door()
        request = await ask(swarm, template="plan")
        await wait_for_async(lambda: len(runs.ended) >= 30 and len(held.tasks) == 4)
        server.kill()
        await asyncio.sleep(1.3)
        server.restart()
        await wait_for_async(lambda: len(runs.ended) >= 120, 20)
        await asyncio.sleep(1.0)
        gate.open()
        ended = await end_of(swarm, request, timeout=20)
        assert (ended.head.state, ended.head.partial) == ("done", False)
        assert len(held.tasks) == 4, "what ran while the server was away went on running, once"
        assert len(runs.tasks) == len(set(runs.tasks)) == 120

        async def all_back() -> bool:
            await swarm.read_members()
            return {name for name in ("c", "w1", "w2") if swarm.members.status(name) != "offline"} == {
                "c",
                "w1",
                "w2",
            }

        await wait_for_async(all_back, 5, "the table of members died with the server: everybody is back")
        assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"


async def test_a_lost_table_of_members_comes_again_by_itself(lab: Lab) -> None:
    coordinator = await lab.coordinator(name="c")
    runs = Runs()
    await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    await swarm.wire.api(f"STREAM.DELETE.{swarm.names.members}")

    async def back() -> bool:
        with contextlib.suppress(ApiError):
            await swarm.read_members()
        return {"c", "w"} <= swarm.members.table.keys()

    await wait_for_async(back)
    assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"
    await wait_for_async(lambda: coordinator.swarm.members.status("w") == "online")


# --- a full log ---


async def fill_log(swarm: Swarm, share: float) -> None:
    """Fill the log with what is nobody's until it is over that share of its size."""
    number, size = 0, 1000
    while size and await swarm.inbox.log_fill() < share:
        number += 1
        try:
            await swarm.wire.store(swarm.names.log_of("r-filler", f"s{number}"), b"x" * size)
        except ApiError:
            size //= 10  # there is no room for another one of this size


async def test_over_the_admission_limit_requests_are_refused_and_what_runs_still_ends(lab: Lab) -> None:
    swarm = await lab.door(limits=Limits(log=200_000))
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator(template("plan", step("a"), step("b", after=("a",))))
    await lab.worker(executors(runs))
    request = await ask(swarm, template="plan")
    await runs.next()
    await fill_log(swarm, 0.9)
    with pytest.raises(QueueFull, match=r"queue full: .* nothing was submitted"):
        await ask(swarm, demand="noop")
    assert await kinds(swarm, request, "a") == ["queued", "started"]
    gate.open()
    assert (await end_of(swarm, request)).head.state == "done"


async def test_a_log_that_is_full_to_the_brim_holds_results_until_there_is_room(lab: Lab) -> None:
    swarm = await lab.door(limits=Limits(log=200_000))
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator()
    await lab.worker(executors(runs))
    request = await ask(swarm, demand="noop")
    await runs.next()
    await fill_log(swarm, 1.0)
    gate.open()
    await wait_for_async(lambda: len(runs.ended) == 1)
    await asyncio.sleep(0.5)
    assert await kinds(swarm, request, STEP) == ["queued", "started"]
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter("r-filler")})
    assert (await end_of(swarm, request)).head.state == "done"
    assert len(runs.tasks) == 1


async def test_requests_wait_in_the_inbox_while_the_log_is_full_and_are_taken_when_it_is_not(
    lab: Lab,
) -> None:
    swarm = await lab.door(limits=Limits(log=200_000))
    request = await ask(swarm, demand="noop")
    await fill_log(swarm, 0.9)
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    await asyncio.sleep(0.5)
    assert await kinds(swarm, request) == []
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter("r-filler")})
    before = time.monotonic()
    assert (await end_of(swarm, request)).head.state == "done"
    assert time.monotonic() - before < 5


# --- a purged request ---


async def test_a_request_that_an_operator_purges_harms_nobody(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    coordinator = await lab.coordinator()
    worker = await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter(request)})
    gate.open()
    await wait_for_async(lambda: len(runs.ended) == 1)
    assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"
    started = [entry for entry in await entries(swarm, request, STEP) if isinstance(entry, Started)]
    assert started == []

    async def emptied() -> bool:
        return await in_queue(swarm) == 0

    await wait_for_async(emptied)
    assert not coordinator.task.done()
    assert not worker.task.done()
