"""Lanes and the queue: publishing again is harmless, consumers come on first use, closing loses to use."""

import asyncio
from datetime import timedelta

import pytest

from picoclaw.swarm.demand import parse_demand
from picoclaw.swarm.janitor import Janitor
from picoclaw.swarm.lanes import LaneRecord, lane_key
from picoclaw.swarm.records import QueuedTask, Task
from picoclaw.swarm.streams import Limits
from picoclaw.swarm.subjects import request_id
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.wire import ApiError
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of, in_queue, play_task
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


def queued(demand: str = "noop", *, step: str = "a", priority: int = 1, key: str = "x") -> QueuedTask:
    return QueuedTask(
        request=request_id(key)[0], task=Task(step=step, demand=demand), priority=priority, queued_seq=1
    )


async def consumers(swarm: Swarm) -> set[str]:
    answer = await swarm.wire.api(f"CONSUMER.NAMES.{swarm.names.tasks}")
    return set(answer["consumers"] or ())


async def record(swarm: Swarm, demand: str = "noop") -> LaneRecord | None:
    stored = await swarm.lanes.bucket.get(lane_key(parse_demand(demand)))
    return LaneRecord.from_bytes(stored.data) if stored else None


async def test_publishing_again_is_harmless_while_the_message_waits_or_is_in_flight(lab: Lab) -> None:
    swarm = await lab.door()
    task = queued()
    assert await swarm.queue.publish(task)
    assert not await swarm.queue.publish(task)
    name = swarm.names.lane_consumer(lane_key(parse_demand("noop")), 1)
    inbox = await swarm.client.subscribe("picoclaw.test.inbox")
    pull = b'{"batch":1,"group":"work","priority":0}'
    await swarm.client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{swarm.names.tasks}.{name}", pull, inbox.subject)
    assert QueuedTask.from_bytes((await inbox.next_msg(5)).data) == task
    assert not await swarm.queue.publish(task), "in flight"
    assert await in_queue(swarm) == 1


async def test_after_an_ack_the_same_task_can_be_published_anew(lab: Lab) -> None:
    runs = Runs()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started", "done")

    async def again() -> bool:
        return await swarm.queue.publish(task.queued)

    await wait_for_async(again)

    async def gone() -> bool:
        return await in_queue(swarm) == 0

    await wait_for_async(gone)
    assert len(runs.tasks) == 1, "its log says that it has ended"


async def test_consumers_are_made_on_first_use_one_per_priority(lab: Lab) -> None:
    swarm = await lab.door()
    assert await consumers(swarm) == set()
    await swarm.queue.publish(queued(priority=1))
    key = lane_key(parse_demand("noop"))
    assert await consumers(swarm) == {f"lane-{key}-1"}
    await swarm.queue.publish(queued(priority=3, step="b"))
    assert await consumers(swarm) == {f"lane-{key}-1", f"lane-{key}-3"}
    found = await record(swarm)
    assert found is not None
    assert found.priorities == (1, 3)


async def test_two_that_open_a_lane_at_once_at_different_priorities_both_stand_in_its_record(
    lab: Lab,
) -> None:
    doors = [await lab.door() for _ in range(4)]
    for turn in range(25):
        demand = parse_demand(f"noop{turn}")
        await asyncio.gather(*(door.lanes.ensure(demand, level) for level, door in enumerate(doors)))
        found = await record(doors[0], str(demand))
        assert found is not None
        assert found.priorities == (0, 1, 2, 3)


@pytest.mark.parametrize("demand", ["node:claw-1a2b3c4d", "agent:coder", "node:a.b * c"])
async def test_lanes_of_a_node_or_an_agent_have_one_consumer(lab: Lab, demand: str) -> None:
    swarm = await lab.door()
    for priority in (0, 3):
        await swarm.queue.publish(queued(demand, priority=priority, step=f"p{priority}"))
    assert await consumers(swarm) == {f"lane-{lane_key(parse_demand(demand))}-all"}


async def test_people_see_the_demand_and_never_the_token(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.queue.publish(queued("gpu@region=us"))
    found = await record(swarm, "gpu@region=us")
    assert found is not None
    assert found.demand == "gpu@region=us"


async def test_a_worker_says_that_it_would_serve_a_lane(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.queue.publish(queued())
    await lab.worker(executors(Runs()))

    async def served() -> bool:
        found = await record(swarm)
        return found is not None and found.served

    await wait_for_async(served)


async def test_what_is_withdrawn_is_off_the_queue_and_off_the_schedule(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.queue.publish(queued(step="a"))
    await swarm.queue.schedule(queued(step="b"), at=4e9)
    await swarm.queue.publish(queued(step="a", key="another"))
    assert await in_queue(swarm) == 3
    await swarm.queue.withdraw(queued().request)
    assert await in_queue(swarm) == 1


async def test_a_deleted_consumer_is_made_again_once_it_is_checked(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.queue.publish(queued())
    (name,) = await consumers(swarm)
    await swarm.wire.api(f"CONSUMER.DELETE.{swarm.names.tasks}.{name}")
    await swarm.queue.publish(queued(step="b"))
    assert await consumers(swarm) == set()
    swarm.lanes.forget_made()
    await swarm.queue.publish(queued(step="c"))
    assert await consumers(swarm) == {name}


# --- closing ---


async def test_an_empty_lane_is_closed_and_opened_again_by_the_next_task(lab: Lab) -> None:
    swarm = await lab.door()
    runs = Runs()
    await lab.worker(executors(runs))
    await (await play_task(swarm)).until("queued", "started", "done")
    await _close_empty(swarm)
    assert await consumers(swarm) == set()
    assert await record(swarm) is None
    await (await play_task(swarm)).until("queued", "started", "done")


async def _close_empty(swarm: Swarm) -> None:
    await swarm.follow_lanes()

    async def closed() -> bool:
        lane = swarm.lanes.known.get(lane_key(parse_demand("noop")))
        return lane is not None and await swarm.lanes.close(lane)

    await wait_for_async(closed)


async def test_a_lane_in_use_is_not_closed(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.queue.publish(queued())
    (lane,) = swarm.lanes.known.values()
    assert not await swarm.lanes.close(lane)
    assert len(await consumers(swarm)) == 1
    found = await record(swarm)
    assert found is not None
    assert found.state == "open"


async def test_whoever_wants_a_lane_that_is_being_closed_gets_it(lab: Lab) -> None:
    """Closing and publishing at once, in every order that comes about: no task is left without a consumer."""
    janitor, releaser = await lab.door(), await lab.door()
    await janitor.follow_lanes()
    await releaser.follow_lanes()
    runs = Runs()
    await lab.worker(executors(runs))
    done = 0
    await (await play_task(releaser)).until("queued", "started", "done")
    key = lane_key(parse_demand("noop"))
    for turn in range(25):

        async def close(pause: float = 0.0002 * turn) -> bool:
            await asyncio.sleep(pause)
            lane = janitor.lanes.known.get(key)
            return lane is not None and await janitor.lanes.close(lane)

        closing = asyncio.create_task(close())
        task = await play_task(releaser)
        done += await closing
        name = releaser.names.lane_consumer(key, 1)
        # The releaser checks the consumers of its lanes every few seconds.
        releaser.lanes.forget_made()
        await releaser.lanes.ensure(parse_demand("noop"), 1)
        assert name in await consumers(releaser)
        await task.until("queued", "started", "done")
    assert runs.tasks


async def test_the_janitor_removes_lanes_that_were_empty_for_long(lab: Lab) -> None:
    swarm = await lab.door(limits=Limits(lane_kept=timedelta(seconds=0.2)))
    await swarm.follow_members()
    await swarm.follow_lanes()
    await lab.coordinator()
    worker = await lab.worker(executors(Runs()))
    await end_of(swarm, await ask(swarm, demand="noop"))
    await worker.stop()
    janitor = Janitor(swarm)
    await janitor.clean()
    assert await record(swarm) is not None, "it has only just been seen to be empty"
    await asyncio.sleep(0.25)

    async def removed() -> bool:
        await janitor.clean()
        return await record(swarm) is None

    await wait_for_async(removed)
    assert await consumers(swarm) == set()
    await lab.worker(executors(Runs()))
    assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"


async def test_a_lane_that_somebody_began_to_close_and_left_is_finished(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.follow_lanes()
    await swarm.lanes.ensure(parse_demand("noop"), 1)
    (lane,) = swarm.lanes.known.values()
    closing = lane.record.model_copy(update={"state": "closing"})
    await swarm.lanes.bucket.put(lane.key, closing.to_bytes(), expected=lane.revision)
    await wait_for_async(lambda: next(iter(swarm.lanes.known.values())).record.state == "closing")
    await Janitor(swarm).clean()
    assert await record(swarm) is None
    with pytest.raises(ApiError):
        await swarm.wire.api(f"CONSUMER.INFO.{swarm.names.tasks}.{swarm.names.lane_consumer(lane.key, 1)}")


async def test_an_ended_request_is_removed_after_its_time_and_a_living_one_stays(lab: Lab) -> None:
    swarm = await lab.door(limits=Limits(requests_kept=timedelta(seconds=0)))
    await swarm.follow_members()
    await swarm.follow_lanes()
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    ended = await ask(swarm, demand="noop")
    living = await ask(swarm, demand="absent")
    await end_of(swarm, ended)

    async def alive() -> bool:
        return bool((await swarm.log.request_head(living)).planned)

    await wait_for_async(alive)

    async def removed() -> bool:
        await Janitor(swarm).clean()
        return not (await swarm.log.heads(ended))

    await wait_for_async(removed)
    assert (await swarm.log.request_head(living)).state == "running"
