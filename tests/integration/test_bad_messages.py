"""A malformed, truncated, foreign or future-version message on any of our subjects: seen, named, survived."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from picoclaw.errors import RecordRefused
from picoclaw.swarm.cron.record import Schedule
from picoclaw.swarm.demand import Demand
from picoclaw.swarm.entries import Accepted, Queued
from picoclaw.swarm.janitor import DUTY
from picoclaw.swarm.lanes import LaneRecord, lane_key
from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.records import QueuedTask, Record, Request, Task
from picoclaw.swarm.subjects import DEFAULT_HID_KEY, SHARED_BUCKET, request_id
from picoclaw.swarm.submission import Ended, Event, Progress, new_request, submit, watch
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.swarm import STEP, Lab, Running, ask, end_of, kinds, lab_on
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

ID = request_id("a request that nobody made")[0]


def bad(whole: Record) -> dict[str, bytes]:
    """What may come instead of a record, by what is wrong with it."""
    data = whole.to_bytes()
    return {
        "empty": b"",
        "malformed": b"\xff\xfe\x00 no text",
        "truncated": data[: len(data) // 2],
        "foreign": b'{"hello": "world", "v": 1}',
        "foreign list": b"[1, 2]",
        "foreign null": b"null",
        "too deep": b"[" * 100_000,
        "future version": whole.model_copy(update={"v": 2}).to_bytes(),
    }


@dataclass
class Scene:
    """A coordinator and a worker, a door to them, and what is logged."""

    lab: Lab
    door: Swarm
    coordinator: Running
    worker: Running
    runs: Runs
    caplog: pytest.LogCaptureFixture

    async def works(self) -> None:
        """A good request still ends well, with the nodes that there were."""
        ended = await end_of(self.door, await ask(self.door, demand="noop"))
        assert ended.head.state == "done"
        for running in (self.coordinator, self.worker):
            assert not running.task.done()

    async def named(self, *words: str) -> None:
        """Wait for a log line that holds these words."""

        def said() -> bool:
            return any(all(word in line for word in words) for line in self.caplog.messages)

        try:
            await wait_for_async(said, 5)
        except AssertionError:
            raise AssertionError(f"no line says {words}:\n" + "\n".join(self.caplog.messages)) from None

    async def harmless(self, subject: str, whole: Record, *says: str) -> None:
        """Each bad message on the subject is named, and a good request works afterwards."""
        for kind, data in bad(whole).items():
            self.caplog.clear()
            await self.door.wire.store(subject, data)
            more = ("version 2", "upgrade") if kind == "future version" else ()
            try:
                await self.named(*says, *more)
            except AssertionError as error:
                raise AssertionError(f"{kind}: {error}") from None
        await self.works()


@pytest.fixture
async def scene(lab: Lab, caplog: pytest.LogCaptureFixture) -> Scene:
    caplog.set_level(logging.DEBUG, "picoclaw")
    runs = Runs("noop")
    coordinator, worker = await lab.coordinator(name="lead"), await lab.worker(executors(runs), name="hand")
    return Scene(lab, await lab.door(), coordinator, worker, runs, caplog)


async def test_on_a_task_subject(scene: Scene) -> None:
    await scene.works()  # now its lane stands
    whole = QueuedTask(request=ID, task=Task(step=STEP, demand="noop"), priority=1, queued_seq=1)
    subject = scene.door.names.task(lane_key(Demand(("noop",))), 1, ID, STEP)

    await scene.harmless(subject, whole, f"message for {ID}.{STEP} refused")

    assert len(scene.runs.tasks) == 2  # the good ones


async def test_on_a_task_subject_a_record_that_no_log_knows_of_is_dropped(scene: Scene) -> None:
    await scene.works()
    whole = QueuedTask(request=ID, task=Task(step=STEP, demand="noop"), priority=1, queued_seq=7)

    await scene.door.wire.store(
        scene.door.names.task(lane_key(Demand(("noop",))), 1, ID, STEP), whole.to_bytes()
    )

    async def gone() -> bool:
        info = await scene.door.wire.api(f"STREAM.INFO.{scene.door.names.tasks}")
        return int(info["state"]["messages"]) == 0

    await wait_for_async(gone)
    await scene.works()
    assert len(scene.runs.tasks) == 2


async def test_on_a_task_subject_a_record_of_another_task_is_refused(scene: Scene) -> None:
    await scene.works()
    whole = QueuedTask(request=ID, task=Task(step="other", demand="noop"), priority=1, queued_seq=1)

    await scene.door.wire.store(
        scene.door.names.task(lane_key(Demand(("noop",))), 1, ID, STEP), whole.to_bytes()
    )

    await scene.named(f"message for {ID}.{STEP} refused", "it was not written by PicoClaw")
    await scene.works()
    assert len(scene.runs.tasks) == 2


async def test_on_a_delay_subject(scene: Scene) -> None:
    whole = QueuedTask(request=ID, task=Task(step=STEP, demand="noop"), priority=1, queued_seq=1)
    for data in bad(whole).values():
        # Nobody reads these; what a schedule publishes from them arrives on a task subject.
        await scene.door.wire.store(scene.door.names.delay(ID, STEP), data)

    await scene.works()


async def test_on_a_request_subject(scene: Scene) -> None:
    whole = Request(id=ID, key_digest="", text="do it", demand="noop")

    subject = scene.door.names.inbox(1, ID)
    await scene.harmless(subject, whole, f"message on {subject} refused")

    assert await kinds(scene.door, ID) == []
    info = await scene.door.wire.api(f"STREAM.INFO.{scene.door.names.requests}")
    assert int(info["state"]["messages"]) == 0


async def test_on_a_request_subject_a_request_that_no_entry_could_hold_is_refused(scene: Scene) -> None:
    subject = scene.door.names.inbox(1, ID)
    whole = Request(id=ID, key_digest="", text="do it", demand="noop").to_bytes()
    await scene.door.wire.store(subject, whole[:-1] + b',"more":' + b"[" * 197 + b"]" * 197 + b"}")
    await scene.named(f"message on {subject} refused", "nested so deep")
    await scene.works()
    assert await kinds(scene.door, ID) == []


async def test_on_the_subject_of_a_firing(scene: Scene) -> None:
    template = new_request("what a schedule asks", demand="noop")
    now = scene.coordinator.swarm.members.server.now()
    schedule = Schedule(name="odd", spec="@every 5s", request=template, created_at=now, changed_at=now)
    subject = scene.door.names.fired(1, "odd")
    odd = schedule.model_copy(update={"thinned": True})
    await scene.door.client.publish(subject, odd.to_bytes())
    await scene.named(f"message on {subject} refused", "fires more often")
    await scene.harmless(subject, schedule, subject)


async def test_on_the_log_subject_of_a_request_that_nobody_made(scene: Scene) -> None:
    request = Request(id=ID, key_digest="", text="do it", demand="noop")
    whole = Accepted(owner="lead", run="x", request=request)
    subject = scene.door.names.log_of(ID)

    await scene.harmless(subject, whole, f"foreign message on {subject}")


async def test_on_the_log_subject_of_a_task_that_nobody_made(scene: Scene) -> None:
    # A coordinator looks at the tasks of its own requests only.
    for data in bad(Queued(demand="noop", priority=1)).values():
        await scene.door.wire.store(scene.door.names.log_of(ID, STEP), data)

    await scene.works()


async def test_on_the_log_subjects_of_a_request_and_a_task_that_run(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    runs = Runs("noop", do=gate)
    await lab.coordinator(name="lead")
    await lab.worker(executors(runs))
    door = await lab.door()
    request = await ask(door, demand="noop")
    await runs.next()

    for step in ("_", STEP):
        for data in bad(Queued(demand="noop", priority=1)).values():
            await door.wire.store(door.names.log_of(request, step), data)
    gate.open()
    ended = await end_of(door, request)

    # It ends once and well; the worker's `done` expected its own `started`, so another attempt may follow.
    assert ended.head.state == "done"
    assert any(f"foreign message on {door.names.log_of(request, STEP)}" in line for line in caplog.messages)


async def test_on_an_event_subject(scene: Scene) -> None:
    request = new_request("do it", demand="noop")
    events = [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"kind": "progress"}',
        b'{"kind": "progress", "node": 1, "message": {}, "fraction": "much"}',
    ]
    for data in events:
        await scene.door.wire.send(scene.door.names.event(request.id, STEP), data)
    await submit(scene.door, request)
    seen: list[Event] = []
    async for event in watch(scene.door, request.id):
        if len(seen) < len(events):
            await scene.door.wire.send(scene.door.names.event(request.id, STEP), events[len(seen)])
        seen.append(event)

    assert isinstance(seen[-1], Ended)
    assert seen[-1].head.state == "done"
    assert not [event for event in seen if isinstance(event, Progress)]
    await scene.works()


async def test_on_a_node_subject(scene: Scene) -> None:
    whole = Heartbeat(
        node="ghost", run="x", role="worker", beat=1, interval_s=1, timeout_s=5, slots=1, started=0
    )
    subject = scene.door.names.member("ghost")

    await scene.harmless(subject, whole, subject)

    assert "ghost" not in scene.coordinator.swarm.members.table


async def test_on_a_node_subject_a_heartbeat_of_another_node_is_ignored(scene: Scene) -> None:
    whole = Heartbeat(
        node="lead",
        run="x",
        role="worker",
        beat=99,
        interval_s=1,
        timeout_s=5,
        slots=1,
        started=0,
        goodbye=True,
    )

    await scene.door.wire.store(scene.door.names.member("ghost"), whole.to_bytes())

    await scene.named("heartbeat of lead", "is not its own", "foreign message on")
    await scene.works()


async def test_on_the_subject_of_a_live_node_its_next_heartbeat_mends_it(scene: Scene) -> None:
    whole = Heartbeat(
        node="hand", run="x", role="worker", beat=1, interval_s=1, timeout_s=5, slots=1, started=0
    )
    subject = scene.door.names.member("hand")

    await scene.harmless(subject, whole, subject)

    assert scene.coordinator.swarm.members.status("hand") in ("online", "busy")


async def test_on_a_probe_subject(scene: Scene) -> None:
    for data in bad(Task(step=STEP, demand="noop")).values():
        reply = await scene.door.wire.request(scene.door.names.probe("hand"), data)
        assert reply.data.decode() == scene.worker.run

    await scene.works()


async def test_on_a_control_subject(scene: Scene) -> None:
    subject = scene.door.names.control("hand")
    for data in (b"", b"\xff", b"[]", b"null", b"{", b"[" * 100_000):
        scene.caplog.clear()
        await scene.door.wire.send(subject, data)
        await scene.named(f"foreign message on {subject}")
    for order in (
        {},
        {"fence": 7, "seq": "x"},
        {"fence": f"{ID}.{STEP}", "seq": 1 << 70},
        {"v": 2, "dance": True},
    ):
        await scene.door.wire.send(subject, json.dumps(order).encode())

    await scene.works()


async def test_on_a_dead_letter_subject(scene: Scene) -> None:
    for data in bad(Task(step=STEP, demand="noop")).values():
        await scene.door.wire.store(scene.door.names.dead_letter(ID, STEP), data)

    await scene.works()


async def test_in_the_bucket_of_lanes(scene: Scene) -> None:
    whole = LaneRecord(demand="noop", priorities=(1,))
    bucket = scene.door.lanes.bucket
    for key in (lane_key(Demand(("noop",))), "no-lane-of-ours"):
        for kind, data in bad(whole).items():
            scene.caplog.clear()
            await scene.door.wire.store(bucket.subject(key), data)
            if kind != "empty":  # as a deletion looks
                await scene.named(bucket.subject(key))

    await scene.works()
    newcomer = await scene.lab.worker(executors(Runs("noop")), name="newcomer")
    await newcomer.stop()


async def test_in_the_bucket_of_leases(scene: Scene) -> None:
    bucket = scene.door.leases
    for kind, data in bad(Task(step=STEP, demand="noop")).items():
        await scene.door.wire.store(bucket.subject(DUTY), data)
        newcomer = await scene.lab.coordinator(name=f"after {kind}")
        await scene.works()
        await newcomer.stop()


async def test_in_the_bucket_that_all_share(start_nats: StartNats, tmp_path: Path) -> None:
    async with lab_on(start_nats().url, tmp_path, clean=False) as lab:
        named = await lab.coordinator(name="lead")
        lab.hid = None
        for kind, data in bad(Task(step=STEP, demand="noop")).items():
            await named.swarm.wire.store(f"$KV.{SHARED_BUCKET}.{DEFAULT_HID_KEY}", data)
            nameless = lab.begin("worker", name="nameless")
            with pytest.raises(RecordRefused, match=f"set --swarm.hid, or delete its key {DEFAULT_HID_KEY}"):
                await nameless.ready()
            assert kind
        assert not named.task.done()
