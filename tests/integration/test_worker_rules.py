"""The redelivery rules of DESIGN.md section 3: a real worker on a real server, the test as everybody else."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import JsonValue

from picoclaw.capabilities.executor import Context, Readiness
from picoclaw.errors import FinalError, JobCancelled
from picoclaw.swarm.delivered import parse_ack_subject
from picoclaw.swarm.demand import parse_demand
from picoclaw.swarm.entries import Cancelled, Dead, Done, Failed, Queued, Started
from picoclaw.swarm.kv import last_message
from picoclaw.swarm.lanes import lane_key
from picoclaw.swarm.membership.announcer import Announcer
from picoclaw.swarm.membership.heartbeat import Advert
from picoclaw.swarm.records import DeadLetter, Delivery, QueuedTask, Result, new_id
from picoclaw.swarm.subjects import SCHEDULE, SCHEDULE_TARGET
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors, failing, raising, returning
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import (
    HEARTBEAT,
    NODE_TIMEOUT,
    STEP,
    Lab,
    Playing,
    Running,
    ask,
    end_of,
    entries,
    in_queue,
    play_task,
    report_of,
    started,
)
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

LATER = 10**9
"""A stream sequence that is newer than any of a test."""


async def acked(swarm: Swarm) -> None:
    """Wait until the queue holds nothing."""

    async def empty() -> bool:
        return await in_queue(swarm) == 0

    await wait_for_async(empty, 5, "the queue message is acked")


async def lane_state(swarm: Swarm, lane: str = "noop") -> dict[str, int]:
    """How many messages the lane's consumer has out without an ack, and how many it gave out again."""
    name = swarm.names.lane_consumer(lane_key(parse_demand(lane)), 1)
    info = await swarm.wire.api(f"CONSUMER.INFO.{swarm.names.tasks}.{name}")
    return {
        "out": int(info["num_ack_pending"]),
        "again": int(info["num_redelivered"]),
        "waiting": int(info["num_pending"]),
    }


class Holder:
    """Another node, as the swarm sees one: heartbeats with the tasks that the test names."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        self.name = name
        self.run = new_id()
        self.tasks: tuple[str, ...] = ()
        advert = Advert(node=name, run=self.run, sid=self.run, role="worker", slots=1)
        self.announcer = Announcer(
            swarm.wire,
            swarm.names,
            advert,
            interval=HEARTBEAT,
            node_timeout=NODE_TIMEOUT,
            tasks=lambda: self.tasks,
            repair=swarm.ensure_streams,
        )
        self.swarm = swarm

    async def join(self) -> "Holder":
        await self.announcer.join(expected=0, orders=lambda order: None)
        self.swarm.tasks.start(self.announcer.run())
        return self

    def started(self, **given: object) -> Started:
        return started(self.name, self.run, **({"beat": self.announcer.beat} | given))


async def sure(worker: Running) -> None:
    """Wait until the worker may declare others dead."""
    await wait_for_async(lambda: worker.swarm.members.may_declare, 5, "it may judge others")


# --- first delivery ---


async def test_first_delivery_starts_at_once_and_leaves_the_whole_life_in_the_log(lab: Lab) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm)
    queued, began, done = await task.until("queued", "started", "done")
    assert isinstance(queued, Queued)
    assert isinstance(began, Started)
    assert isinstance(done, Done)
    assert (began.node, began.run, began.attempt) == ("w", worker.run, 1)
    ack = parse_ack_subject(began.ack)
    assert ack is not None
    assert ack.delivery == began.delivery == Delivery(seq=ack.delivery.seq, count=1)
    assert began.beat >= 1
    assert done.result.summary == "task done"
    assert runs.tasks == [task.id]
    await acked(swarm)


async def test_a_task_is_listed_in_heartbeats_from_before_started_until_its_end(lab: Lab) -> None:
    gate = Gate()
    await lab.worker(executors(Runs(do=gate)), name="w")
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started")

    async def listed() -> tuple[str, ...]:
        await swarm.read_members()
        return swarm.members.table["w"].beat.tasks

    async def held() -> bool:
        return await listed() == (task.id,)

    async def let_go() -> bool:
        return await listed() == ()

    await wait_for_async(held)
    gate.open()
    await task.until("queued", "started", "done")
    await wait_for_async(let_go)


# --- a redelivery, or a refused append ---


async def test_ended_task_is_acked_and_dropped(lab: Lab) -> None:
    runs = Runs()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm, publish=False)
    await task.append(Cancelled(by="test", reason="person", why="no longer wanted"))
    await swarm.queue.publish(task.queued)
    await acked(swarm)
    assert await task.kinds() == ["queued", "cancelled"]
    assert runs.tasks == []


async def test_purged_task_is_dropped(lab: Lab) -> None:
    runs = Runs()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm, publish=False)
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter(task.request)})
    await swarm.queue.publish(task.queued)
    await acked(swarm)
    assert await task.kinds() == []
    assert runs.tasks == []


async def test_queued_for_later_is_handed_back_with_the_remainder(lab: Lab) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm, publish=False)
    not_before = worker.swarm.members.server.now() + 1.5
    await task.append(
        Queued(by="test", attempt=2, demand="noop", priority=1, reason="retry", not_before=not_before)
    )
    await swarm.queue.publish(task.queued)
    _, _, began, _ = await task.until("queued", "queued", "started", "done")
    assert isinstance(began, Started)
    assert began.attempt == 2
    assert began.delivery.count == 2, "once handed back, then delivered when its time had come"
    head_at = [f.at async for f in swarm.log.history(task.request, STEP)][2]
    assert not_before - 0.05 <= head_at < not_before + 1.0


async def test_running_by_a_newer_delivery_makes_me_the_zombie_that_neither_acks_nor_naks(lab: Lab) -> None:
    runs = Runs()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm, publish=False)
    await task.append(started("other", delivery=Delivery(seq=LATER, count=1)))
    await swarm.queue.publish(task.queued)

    async def delivered() -> bool:
        return (await lane_state(swarm))["out"] == 1

    await wait_for_async(delivered)
    await asyncio.sleep(1.3)  # longer than a message without evidence is handed back for
    assert await lane_state(swarm) == {"out": 1, "again": 0, "waiting": 0}
    assert await task.kinds() == ["queued", "started"]
    assert runs.tasks == []


async def test_a_zombie_stops_its_own_job(lab: Lab) -> None:
    runs = Runs(do=Gate())
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    _, mine = await task.until("queued", "started")
    assert isinstance(mine, Started)
    await task.append(started("other", attempt=2, delivery=Delivery(seq=LATER, count=1)))
    await swarm.queue.hand_back(mine.ack)
    await wait_for_async(lambda: runs.cancelled == [task.id], what="the job was stopped")
    assert runs.tasks == [task.id]
    assert await task.kinds() == ["queued", "started", "started"]
    assert (await lane_state(swarm))["out"] == 1, "neither acked nor handed back"


async def test_no_evidence_hands_back_with_a_delay_until_a_heartbeat_without_the_task_is_evidence(
    lab: Lab,
) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    holder = await Holder(swarm, "other").join()
    task = await play_task(swarm, publish=False)
    holder.tasks = (task.id,)
    holder.announcer.again()
    await sure(worker)
    await task.append(holder.started())
    await swarm.queue.publish(task.queued)

    async def handed_back() -> bool:
        return (await lane_state(swarm))["again"] == 1

    await wait_for_async(handed_back)
    assert await task.kinds() == ["queued", "started"], "while the holder lists the task nobody takes it"
    assert runs.tasks == []
    holder.tasks = ()
    *_, began, _ = await task.until("queued", "started", "started", "done")
    assert isinstance(began, Started)
    assert (began.node, began.attempt) == ("w", 2)
    assert began.delivery.count >= 2


async def test_a_heartbeat_from_before_started_is_no_evidence(lab: Lab) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    holder = await Holder(swarm, "other").join()
    await sure(worker)
    task = await play_task(swarm, publish=False)
    # Its heartbeats so far do not list the task, and this entry says that they are older.
    await task.append(holder.started(beat=10**6))
    await swarm.queue.publish(task.queued)

    async def handed_back() -> bool:
        return (await lane_state(swarm))["again"] == 1

    await wait_for_async(handed_back)
    assert await task.kinds() == ["queued", "started"]
    assert runs.tasks == []


async def test_dead_holder_is_superseded_with_the_next_attempt(lab: Lab) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    holder = await Holder(swarm, "other").join()
    await sure(worker)
    task = await play_task(swarm, publish=False)
    holder.tasks = (task.id,)
    await task.append(holder.started())
    await holder.announcer.goodbye()
    await swarm.queue.publish(task.queued)
    *_, began, _ = await task.until("queued", "started", "started", "done")
    assert isinstance(began, Started)
    assert (began.node, began.attempt, began.excused) == ("w", 2, 0)
    assert runs.tasks == [task.id]


async def test_an_observer_that_may_not_yet_judge_supersedes_nobody(lab: Lab) -> None:
    """It has just come and never heard of the holder; once it may judge, it takes the task."""
    runs = Runs()
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm, publish=False)
    await task.append(started("never heard of"))
    assert not worker.swarm.members.may_declare
    await swarm.queue.publish(task.queued)
    await task.until("queued", "started", "started", "done")
    at = [followed.at async for followed in swarm.log.history(task.request, STEP)]
    assert at[2] - at[1] >= NODE_TIMEOUT.total_seconds() * 0.9


async def test_of_itself_a_worker_asks_its_own_job_table(lab: Lab) -> None:
    """The log names this very run as holder, and the run knows of no such job: no waiting for a heartbeat."""
    runs = Runs()
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm, publish=False)
    await task.append(started("w", worker.run, beat=10**6))
    before = time.monotonic()
    await swarm.queue.publish(task.queued)
    *_, began, _ = await task.until("queued", "started", "started", "done")
    assert isinstance(began, Started)
    assert began.attempt == 2
    assert began.delivery.count == 1
    assert time.monotonic() - before < 0.9


async def test_a_redelivery_beside_my_own_running_job_does_not_run_it_twice(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm)
    _, mine = await task.until("queued", "started")
    assert isinstance(mine, Started)
    await swarm.queue.hand_back(mine.ack)  # a stale owner, or an ack wait that ran out

    async def again() -> bool:
        return (await lane_state(swarm))["again"] == 1

    await wait_for_async(again)
    gate.open()
    await task.until("queued", "started", "done")
    await acked(swarm)
    assert runs.tasks == [task.id]


async def test_two_deliveries_that_start_at_once_in_one_worker_do_not_wait_for_each_other(lab: Lab) -> None:
    """The server was away for longer than the ack wait while the first was about to start."""
    lab.nats = replace(lab.nats, ack_wait=timedelta(seconds=1))
    runs = Runs()
    async with Relay(lab.nats.urls[0]) as relay:
        await lab.worker(executors(runs), urls=(relay.url,))
        swarm = await lab.door()
        task = await play_task(swarm, publish=False)
        await task.append(Queued(by="test", attempt=2, demand="noop", priority=1, reason="retry"))

        def hold_after_delivery(message: bytes) -> bool:
            if task.request.encode() in message and b"$JS.ACK" in message:
                relay.hold()
            return False

        relay.swallow = hold_after_delivery
        await swarm.queue.publish(task.queued)  # it bears the sequence of the first entry: both must read
        await asyncio.sleep(1.4)
        relay.swallow = lambda message: False
        relay.release()
        entries = await task.until("queued", "queued", "started", "done")
        assert isinstance(entries[2], Started)
        assert len(runs.tasks) == 1
        await acked(swarm)


async def test_superseding_past_the_limit_ends_dead_with_a_copy_in_the_dead_letters(lab: Lab) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm, publish=False, max_attempts=3)
    await task.append(started("w", worker.run, attempt=3))
    await swarm.queue.publish(task.queued)
    *_, dead = await task.until("queued", "started", "dead")
    assert isinstance(dead, Dead)
    assert (dead.attempt, dead.error) == (3, "its holder was lost")
    assert runs.tasks == []
    letter = await dead_letter(swarm, task)
    assert letter.queued.task == task.queued.task
    assert (letter.attempt, letter.error) == (3, "its holder was lost")
    await acked(swarm)


async def dead_letter(swarm: Swarm, task: Playing) -> DeadLetter:
    async def stored() -> bytes | None:
        found = await last_message(
            swarm.wire, swarm.names.dead_letters, swarm.names.dead_letter(task.request, STEP)
        )
        return found.data if found else None

    return DeadLetter.from_bytes(await wait_for_async(stored, 5, "a dead letter"))


# --- the result ---


async def test_a_result_that_the_log_refuses_is_dropped_and_the_ended_task_acked(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started")
    await task.append(Cancelled(by="test", reason="person", why="changed my mind"))
    gate.open()  # nobody told the worker: its own append must be what it learns from
    await acked(swarm)
    assert await task.kinds() == ["queued", "started", "cancelled"]
    assert runs.ended == [task.id]


async def test_the_result_of_a_superseded_worker_changes_nothing_and_acks_nothing(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started")
    await task.append(started("other", attempt=2, delivery=Delivery(seq=LATER, count=1)))
    gate.open()
    await wait_for_async(lambda: runs.ended == [task.id])
    await asyncio.sleep(0.2)
    assert await task.kinds() == ["queued", "started", "started"]
    assert (await lane_state(swarm))["out"] == 1


async def test_a_fence_stops_the_job_at_once(lab: Lab) -> None:
    runs = Runs(do=Gate())
    await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started")
    seq = await task.append(Cancelled(by="test", reason="person", why="changed my mind"))
    await swarm.fence("w", task.id, seq)
    await wait_for_async(lambda: runs.cancelled == [task.id])
    await acked(swarm)
    assert await task.kinds() == ["queued", "started", "cancelled"]


async def test_fenced_then_handed_back_runs_elsewhere_within_a_moment(lab: Lab) -> None:
    gate = Gate()
    hung, other = Runs(do=gate), Runs()
    await lab.worker(executors(hung), name="hung", slots=1)
    swarm = await lab.door()
    task = await play_task(swarm)
    _, mine = await task.until("queued", "started")
    assert isinstance(mine, Started)
    await lab.worker(executors(other), name="other")
    await task.append(Queued(by="test", attempt=2, demand="noop", priority=1, reason="node offline: hung"))
    before = time.monotonic()
    await swarm.queue.hand_back(mine.ack)
    *_, began, _ = await task.until("queued", "started", "queued", "started", "done")
    assert time.monotonic() - before < 1.0, "its ack wait is 30 s"
    assert isinstance(began, Started)
    assert (began.node, began.attempt) == ("other", 2)
    gate.open()
    await wait_for_async(lambda: hung.ended == [task.id])
    assert await task.kinds() == ["queued", "started", "queued", "started", "done"]


# --- failures and retries ---


async def test_a_retry_keeps_the_one_queue_message(lab: Lab) -> None:
    runs = Runs(do=failing(2, delay=timedelta(milliseconds=50)))
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    *rest, done = await task.until("queued", "started", "queued", "started", "queued", "started", "done")
    assert isinstance(done, Done)
    assert [e.attempt for e in rest if isinstance(e, Started)] == [1, 2, 3]
    assert [e.attempt for e in rest if isinstance(e, Queued)] == [1, 2, 3]
    deliveries = [e.delivery for e in rest if isinstance(e, Started)]
    assert len({d.seq for d in deliveries}) == 1, "never published again"
    assert [d.count for d in deliveries] == [1, 2, 3]
    assert [e.reason for e in rest if isinstance(e, Queued)][1] == "the test said so"
    await acked(swarm)


async def test_a_back_off_over_a_minute_leaves_the_queue_for_the_servers_own_schedule(lab: Lab) -> None:
    runs = Runs(do=failing(1, delay=timedelta(seconds=61)))
    worker = await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    _, _, again = await task.until("queued", "started", "queued")
    assert isinstance(again, Queued)
    assert again.not_before is not None
    left = again.not_before - worker.swarm.members.server.now()
    assert 58 < left <= 61
    delay = swarm.names.delay(task.request, STEP)

    async def scheduled() -> dict[str, str] | None:
        found = await last_message(swarm.wire, swarm.names.tasks, delay)
        if found is None:
            return None
        lines = found.headers.decode().split("\r\n")[1:]
        assert QueuedTask.from_bytes(found.data).attempt == 2
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    headers = await wait_for_async(scheduled)
    assert headers[SCHEDULE].startswith("@at ")
    assert headers[SCHEDULE_TARGET].endswith(f".{task.request}.{STEP}")
    await wait_for_async(lambda: _only_scheduled(swarm))
    assert await in_queue(swarm) == 1, "the schedule, and no message that could be delivered"


async def _only_scheduled(swarm: Swarm) -> bool:
    return (await lane_state(swarm)) == {"out": 0, "again": 0, "waiting": 0}


async def test_the_servers_schedule_delivers_when_the_time_has_come(lab: Lab) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm, publish=False)
    at = worker.swarm.members.server.now() + 1.2
    seq = await task.append(
        Queued(by="test", attempt=2, demand="noop", priority=1, reason="retry", not_before=at)
    )
    await swarm.queue.schedule(task.queued.model_copy(update={"queued_seq": seq, "attempt": 2}), at=at)
    *_, began, _ = await task.until("queued", "queued", "started", "done")
    assert isinstance(began, Started)
    assert began.attempt == 2
    began_at = [f.at async for f in swarm.log.history(task.request, STEP)][2]
    assert began_at >= at - 0.05
    await acked(swarm)


async def test_a_final_error_fails_at_once(lab: Lab) -> None:
    runs = Runs(do=raising(FinalError("there is no such file")))
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    *_, failed = await task.until("queued", "started", "failed")
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.error, failed.attempt) == ("error", "there is no such file", 1)
    await acked(swarm)


async def test_retries_past_the_limit_end_dead_with_the_last_error(lab: Lab) -> None:
    runs = Runs(do=raising(ValueError("odd")))
    await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm, max_attempts=1)
    *_, dead = await task.until("queued", "started", "dead")
    assert isinstance(dead, Dead)
    assert (dead.attempt, dead.node, dead.error) == (1, "w", "ValueError: odd")
    assert (await dead_letter(swarm, task)).error == "ValueError: odd"
    await acked(swarm)


async def test_an_executor_that_raises_anything_never_takes_the_node(lab: Lab) -> None:
    runs = Runs(do=raising(RecursionError("deep"), times=1))
    worker = await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm, max_attempts=1)
    await task.until("queued", "started", "dead")
    task = await play_task(swarm)
    await task.until("queued", "started", "done")
    assert not worker.task.done()


async def test_a_job_that_stops_of_itself_is_tried_again_and_says_so(lab: Lab) -> None:
    runs = Runs(do=raising(JobCancelled("a library gave up"), times=1))
    await lab.worker(executors(runs))
    task = await play_task(await lab.door())
    entries = await task.until("queued", "started", "queued", "started", "done")
    assert isinstance(entries[2], Queued)
    assert "stopped of itself" in entries[2].reason


async def test_a_result_that_cannot_be_serialised_fails_in_words(lab: Lab) -> None:
    odd = Result.model_construct(summary="odd", data=cast("Any", {"of": object()}))
    await lab.worker(executors(Runs(do=returning(odd))))
    swarm = await lab.door()
    task = await play_task(swarm)
    *_, failed = await task.until("queued", "started", "failed")
    assert isinstance(failed, Failed)
    assert failed.error.startswith("its result cannot be serialised: ")
    await acked(swarm)


async def test_a_result_that_no_entry_can_hold_fails_in_words_and_the_request_ends(lab: Lab) -> None:
    deep: JsonValue = "bottom"
    for _ in range(230):
        deep = [deep]
    await lab.coordinator()
    await lab.worker(executors(Runs(do=returning(Result(data=deep)))))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    assert (await end_of(swarm, request)).head.state == "failed"
    (failed,) = [entry for entry in await entries(swarm, request, "task") if isinstance(entry, Failed)]
    assert "its result is refused: it is nested too deep, over 150 levels" in failed.error


async def test_the_deepest_result_that_is_taken_can_be_read_in_its_report(lab: Lab) -> None:
    deep: JsonValue = "bottom"
    for _ in range(149):
        deep = [deep]
    await lab.coordinator()
    await lab.worker(executors(Runs(do=returning(Result(data=deep)))))
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, demand="noop"))
    assert ended.head.state == "done"
    assert report_of(ended)["tasks"][0]["data"] == deep


async def test_an_error_that_no_entry_can_carry_is_cut_and_said(lab: Lab) -> None:
    await lab.worker(executors(Runs("noop", do=raising(FinalError("\ud800" + "x" * 3_000_000)))))
    door = await lab.door()

    task = await play_task(door)

    failed = (await task.until("queued", "started", "failed"))[-1]
    assert isinstance(failed, Failed)
    assert failed.error.startswith("?xxx")
    assert failed.error.endswith("(3000001 characters)")


async def test_an_executor_that_returns_no_result_fails_in_words(lab: Lab) -> None:
    await lab.worker(executors(Runs("noop", do=returning(cast("Result", None)))))
    door = await lab.door()

    task = await play_task(door)

    failed = (await task.until("queued", "started", "failed"))[-1]
    assert isinstance(failed, Failed)
    assert "NoneType, not a Result" in failed.error


class Gone(Runs):
    """Ready whenever the machine is looked at, and gone when the first task arrives."""

    tasks_lost = 0

    def readiness(self, capability: str) -> Readiness:
        arrived = threading.current_thread() is threading.main_thread()
        if arrived and self.tasks_lost < 2:
            self.tasks_lost += 1
            return Readiness(False, "what went")
        return Readiness(True)


async def test_a_task_that_arrives_as_its_tool_goes_is_handed_on_and_costs_no_attempt(lab: Lab) -> None:
    runs = Gone()
    await lab.coordinator()
    await lab.worker(executors(runs))
    door = await lab.door()
    request = await ask(door, demand="noop", max_attempts=1)
    assert (await end_of(door, request)).head.state == "done"
    handed = [entry for entry in await entries(door, request, "task") if isinstance(entry, Queued)]
    assert [(one.attempt, one.excused) for one in handed] == [(1, 0), (2, 1), (3, 2)]
    assert handed[-1].reason == "no executor here serves noop any more"


async def test_a_task_over_its_time_limit_fails_with_deadline(lab: Lab) -> None:
    runs = Runs(do=Gate())
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm, timeout_s=0.3)
    *_, failed = await task.until("queued", "started", "failed")
    assert isinstance(failed, Failed)
    assert failed.reason == "deadline"
    assert runs.cancelled == [task.id]
    await acked(swarm)


async def test_a_drain_hands_back_and_costs_no_attempt(lab: Lab) -> None:
    first, second = Runs(do=Gate()), Runs()
    leaving = await lab.worker(executors(first), name="leaving", drain=timedelta(milliseconds=100))
    swarm = await lab.door()
    task = await play_task(swarm, max_attempts=1)
    await task.until("queued", "started")
    await lab.worker(executors(second), name="staying")
    await leaving.stop()
    *rest, done = await task.until("queued", "started", "queued", "started", "done")
    assert isinstance(done, Done)
    assert done.node == "staying"
    handed, began = rest[2], rest[3]
    assert isinstance(handed, Queued)
    assert isinstance(began, Started)
    assert handed.reason == "drained: its node stopped"
    assert (began.attempt, began.excused) == (2, 1), "the limit of one attempt is not touched"


async def test_a_drain_orders_again_what_takes_its_time_to_stop_and_still_hands_it_back(lab: Lab) -> None:
    async def deaf(task: QueuedTask, context: Context) -> Result:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()  # a child with a grace of minutes: the second order kills it
        raise AssertionError

    leaving = await lab.worker(executors(Runs(do=deaf)), drain=timedelta(milliseconds=100))
    task = await play_task(await lab.door(), max_attempts=1)
    await task.until("queued", "started")
    await leaving.stop()
    handed = (await task.until("queued", "started", "queued"))[-1]
    assert isinstance(handed, Queued)
    assert (handed.reason, handed.excused) == ("drained: its node stopped", 1)


async def test_a_drain_lets_a_short_job_end(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    leaving = await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started")
    stopping = asyncio.create_task(leaving.stop())
    gate.open()
    await stopping
    await task.until("queued", "started", "done")


async def test_a_job_that_is_longer_than_the_ack_wait_is_delivered_once(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    lab.nats = replace(lab.nats, ack_wait=timedelta(seconds=1))
    await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started")
    await asyncio.sleep(2.2)
    assert await lane_state(swarm) == {"out": 1, "again": 0, "waiting": 0}
    gate.open()
    await task.until("queued", "started", "done")
    assert runs.tasks == [task.id]


async def test_a_foreign_message_in_a_lane_is_removed_and_harms_nobody(lab: Lab) -> None:
    runs = Runs()
    worker = await lab.worker(executors(runs))
    swarm = await lab.door()
    task = await play_task(swarm)
    await task.until("queued", "started", "done")
    key = await swarm.lanes.ensure(parse_demand("noop"), 1)
    for body in (b"", b"{", b"\xff\xfe", b'{"v": 99}', b"[]"):
        await swarm.wire.store(swarm.names.task(key, 1, "r-foreign", STEP), body)
        await acked(swarm)
    later = await play_task(swarm)
    await later.until("queued", "started", "done")
    assert not worker.task.done()


# --- the limit of a run ---


async def test_a_job_that_ends_at_the_moment_of_its_limit_keeps_its_result(lab: Lab) -> None:
    async def just_in_time(task: QueuedTask, context: Context) -> Result:
        # Holds the event loop, so that limit and result fall together.
        time.sleep(0.3)  # noqa: ASYNC251
        return Result(summary="just in time")

    await lab.worker(executors(Runs(do=just_in_time)))
    swarm = await lab.door()
    task = await play_task(swarm, timeout_s=0.1)
    done = (await task.until("queued", "started", "done"))[-1]
    assert isinstance(done, Done)
    assert done.result.summary == "just in time"
