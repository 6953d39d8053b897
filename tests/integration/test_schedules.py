"""Delayed and recurring requests on the server's own message schedules, by a real server."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from picoclaw.errors import AppendRefused, IdempotencyClash, NotFound, SwarmError, UsageError
from picoclaw.gateway.client import SwarmClient
from picoclaw.swarm.cancel import cancel_request
from picoclaw.swarm.cron.store import (
    create_schedule,
    delete_schedule,
    enable_schedule,
    find_schedule,
    list_schedules,
    read_schedule,
)
from picoclaw.swarm.entries import Accepted
from picoclaw.swarm.kv import last_message
from picoclaw.swarm.log import decode
from picoclaw.swarm.look import list_requests, look_around, read_request
from picoclaw.swarm.records import RepositoryRef, Request
from picoclaw.swarm.server_time import server_time
from picoclaw.swarm.submission import new_request, submit
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.views.requests import request_row
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.swarm import Lab, end_of, kinds, lab_on
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

HOUR = 3600.0


async def accepted(swarm: Swarm) -> list[Request]:
    """Every request that was accepted, in order."""
    found = [decode(followed) async for followed in swarm.log.history("*", "_")]
    return [entry.request for entry in found if isinstance(entry, Accepted)]


async def in_inbox(swarm: Swarm) -> dict[str, int]:
    """How many messages stand on each subject of the inbox's stream."""
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.requests}", {"subjects_filter": ">"})
    return dict(info["state"].get("subjects") or {})


async def test_a_request_for_later_waits_for_its_time_and_then_runs(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    due = await server_time(swarm) + 1.5
    request = new_request("later", demand="noop")
    assert await submit(swarm, request, at=due)

    state = await read_request(swarm, request.id)
    assert state is not None
    row = request_row(state, await look_around(swarm))
    assert (row.state, row.text) == ("queued", "later")
    assert row.reason.startswith("scheduled for ")
    assert request.id in [listed.id for listed in await list_requests(swarm)]

    ended = await end_of(swarm, request.id)
    assert ended.head.state == "done"
    first, *_ = [followed async for followed in swarm.log.history(request.id, "_")]
    assert due <= first.at < due + 2
    assert await in_inbox(swarm) == {}


async def test_the_same_key_for_later_is_one_request_and_another_text_is_refused(lab: Lab) -> None:
    swarm = await lab.door()
    due = await server_time(swarm) + HOUR
    one = new_request("once", demand="noop", key="k")
    assert await submit(swarm, one, at=due)
    assert not await submit(swarm, one, at=due + HOUR)
    assert not await submit(swarm, one)
    assert list(await in_inbox(swarm)) == [swarm.names.later(one.id)]
    with pytest.raises(IdempotencyClash):
        await submit(swarm, new_request("other", demand="noop", key="k"), at=due)


async def test_what_has_been_handed_in_under_the_key_is_not_scheduled_again(lab: Lab) -> None:
    swarm = await lab.door()
    one = new_request("once", demand="noop", key="k")
    assert await submit(swarm, one)
    assert not await submit(swarm, one, at=await server_time(swarm) + HOUR)
    assert list(await in_inbox(swarm)) == [swarm.names.inbox(1, one.id)]


async def test_a_request_that_waits_for_its_time_is_cancelled_and_never_comes(lab: Lab) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    request = new_request("later", demand="noop")
    await submit(swarm, request, at=await server_time(swarm) + HOUR)
    outcome = await cancel_request(swarm, request.id, why="not needed", text="later")
    assert outcome.withdrawn
    assert await kinds(swarm, request.id) == ["cancelled"]
    assert await in_inbox(swarm) == {}


async def test_a_large_request_waits_by_reference(lab: Lab) -> None:
    await lab.coordinator()
    runs = Runs()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = new_request("x" * 300_000, demand="noop")
    await submit(swarm, request, at=await server_time(swarm) + 1)
    ended = await end_of(swarm, request.id)
    assert ended.head.state == "done"


@pytest.mark.parametrize("firings", [5, pytest.param(40, marks=[pytest.mark.long, pytest.mark.timeout(120)])])
async def test_two_coordinators_make_one_request_of_each_firing(lab: Lab, firings: int) -> None:
    await lab.coordinator(name="one")
    await lab.coordinator(name="two")
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    standing, new = await create_schedule(
        swarm, "each second", "@every 1s", "UTC", new_request("tick", demand="noop")
    )
    assert new

    async def some() -> bool:
        return len(await accepted(swarm)) >= firings

    await wait_for_async(some, 2 * firings + 10)
    stopped = await enable_schedule(swarm, standing, enabled=False)
    fired = stopped.seq - standing.seq - 1  # nothing else is written to that stream
    requests = await accepted(swarm)
    assert len(requests) == len({one.id for one in requests}) == fired
    made = [one.firing for one in requests if one.firing is not None]
    assert len(made) == fired
    assert {firing.schedule for firing in made} == {"each second"}
    for one in requests:
        assert (await end_of(swarm, one.id)).head.state == "done"


async def test_a_disabled_schedule_is_silent_and_an_enabled_one_comes_again(lab: Lab) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    standing, _ = await create_schedule(swarm, "t", "@every 1s", "UTC", new_request("tick", demand="noop"))
    standing = await enable_schedule(swarm, standing, enabled=False)
    before = len(await accepted(swarm))
    assert await fired_within(swarm, 2.2) == before
    await enable_schedule(swarm, standing, enabled=True)

    async def more() -> bool:
        return len(await accepted(swarm)) > before

    await wait_for_async(more, 10)


async def fired_within(swarm: Swarm, seconds: float) -> int:
    """How many requests there are after a time in which nothing should happen."""
    await asyncio.sleep(seconds)
    return len(await accepted(swarm))


async def test_a_deleted_schedule_is_gone_with_what_it_had_fired(lab: Lab) -> None:
    swarm = await lab.door()
    standing, _ = await create_schedule(swarm, "t", "@every 1s", "UTC", new_request("tick", demand="noop"))

    async def fired() -> bool:
        return swarm.names.fired(1, "t") in await in_inbox(swarm)

    await wait_for_async(fired, 10)
    await delete_schedule(swarm, standing)
    assert await in_inbox(swarm) == {}
    await asyncio.sleep(1.6)
    assert await in_inbox(swarm) == {}
    with pytest.raises(NotFound):
        await find_schedule(swarm, "t")


async def test_firings_that_nobody_takes_leave_the_latest_one(lab: Lab) -> None:
    swarm = await lab.door()
    standing, _ = await create_schedule(swarm, "t", "@every 1s", "UTC", new_request("tick", demand="noop"))
    subject = swarm.names.fired(1, "t")

    async def third() -> bool:
        stored = await last_message(swarm.wire, swarm.names.requests, subject)
        return stored is not None and stored.seq >= standing.seq + 3

    await wait_for_async(third, 10)
    assert (await in_inbox(swarm))[subject] == 1
    await enable_schedule(swarm, standing, enabled=False)


async def test_of_two_changes_at_once_one_wins(lab: Lab) -> None:
    swarm = await lab.door()
    standing, _ = await create_schedule(swarm, "t", "@daily", "UTC", new_request("tick", demand="noop"))
    outcomes = await asyncio.gather(
        *(enable_schedule(swarm, standing, enabled=False) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["AppendRefused"] * 4 + ["Standing"]
    with pytest.raises(AppendRefused):
        await delete_schedule(swarm, standing)
    assert await read_schedule(swarm, "t") is not None


async def test_the_same_schedule_again_changes_nothing_and_another_one_is_refused(lab: Lab) -> None:
    swarm = await lab.door()
    request = new_request("tick", demand="noop")
    first, _ = await create_schedule(swarm, "t", "0 9 * * *", "Europe/Berlin", request)
    again, new = await create_schedule(
        swarm, "t", "0 9 * * *", "Europe/Berlin", new_request("tick", demand="noop")
    )
    assert (again.seq, new) == (first.seq, False)
    other = new_request("tock", demand="noop")
    with pytest.raises(UsageError, match="--replace"):
        await create_schedule(swarm, "t", "0 9 * * *", "Europe/Berlin", other)
    replaced, new = await create_schedule(swarm, "t", "0 10 * * *", "UTC", other, replace=True)
    assert new
    assert replaced.schedule.created_at == first.schedule.created_at
    assert [one.schedule.spec for one in await list_schedules(swarm)] == ["0 10 * * *"]


@pytest.mark.parametrize(
    ("spec", "zone", "schedule"),
    [
        ("0 9 * * mon-fri", "Europe/Berlin", "0 0 9 * * 1,2,3,4,5"),
        ("0 9 * * 5-7", "UTC", "0 0 9 * * 0,5,6"),
        ("30 2 * * *", "Europe/Berlin", "0 30 * * * *"),
        ("*/20 * 1 jan *", "UTC", "0 0,20,40 * 1 1 *"),
        ("@every 90s", "Europe/Berlin", "@every 90s"),
    ],
)
async def test_the_server_takes_what_it_is_told(lab: Lab, spec: str, zone: str, schedule: str) -> None:
    swarm = await lab.door()
    await create_schedule(swarm, "t", spec, zone, new_request("tick", demand="noop"))
    stored = await last_message(swarm.wire, swarm.names.requests, swarm.names.cron("t"))
    assert stored is not None
    assert f"Nats-Schedule: {schedule}\r\n".encode() in stored.headers
    assert (b"Nats-Schedule-Time-Zone: " + zone.encode() in stored.headers) == (
        zone != "UTC" and "@" not in spec
    )


async def test_what_cannot_come_again_is_refused_before_anything_is_written(lab: Lab) -> None:
    swarm = await lab.door()
    stored = await swarm.artifacts.put(b"x", media_type="application/gzip")
    folder = new_request("look", demand="noop", repository=RepositoryRef(snapshot=stored, label="demo"))
    with pytest.raises(UsageError, match="git URL"):
        await create_schedule(swarm, "t", "@daily", "UTC", folder)
    with pytest.raises(UsageError, match="KiB"):
        await create_schedule(swarm, "t", "@daily", "UTC", new_request("x" * 100_000, demand="noop"))
    with pytest.raises(UsageError, match="time zone"):
        await create_schedule(swarm, "t", "@daily", "Europe/Berln", new_request("x", demand="noop"))
    assert await in_inbox(swarm) == {}


async def test_a_store_without_a_place_for_schedules_is_refused_and_then_adapted(lab: Lab) -> None:
    swarm = await lab.door()
    waiting = new_request("waits", demand="noop")
    await submit(swarm, waiting)
    await as_an_older_version_made_it(swarm, keep=waiting)
    with pytest.raises(SwarmError, match="older version"):
        await create_schedule(swarm, "t", "@daily", "UTC", new_request("x", demand="noop"))
    with pytest.raises(SwarmError, match="older version"):
        await submit(swarm, new_request("x", demand="noop"), at=await server_time(swarm) + HOUR)

    newer = await lab.door()
    await create_schedule(newer, "t", "@daily", "UTC", new_request("x", demand="noop"))
    assert await submit(newer, new_request("x", demand="noop"), at=await server_time(newer) + 1)
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    assert (await end_of(newer, waiting.id)).head.state == "done"


async def as_an_older_version_made_it(swarm: Swarm, *, keep: Request) -> None:
    """Make the inbox's stream as it was before it took schedules, with a request in it."""
    stream = swarm.names.requests
    await swarm.wire.api(f"STREAM.DELETE.{stream}")
    older = {
        "name": stream, "subjects": [swarm.names.wildcard("request")], "retention": "workqueue", "discard": "old",
        "max_msgs_per_subject": 1, "storage": "file", "num_replicas": 1,
        "max_consumers": 10_000, "metadata": {"picoclaw-store-version": "1"},
    }  # fmt: skip
    await swarm.wire.api(f"STREAM.CREATE.{stream}", older)
    await swarm.wire.store(swarm.names.inbox(1, keep.id), keep.to_bytes())


@pytest.mark.long
async def test_a_killed_server_keeps_schedules_and_fires_none_twice(
    start_nats: StartNats, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = start_nats()
    async with lab_on(server.url, tmp_path_factory.mktemp("lab"), clean=False) as lab:
        await lab.coordinator()
        await lab.coordinator(name="second")
        swarm = await lab.door()
        await create_schedule(swarm, "t", "@every 2s", "UTC", new_request("tick", demand="noop"))
        await create_schedule(swarm, "daily", "0 9 * * *", "Europe/Berlin", new_request("x", demand="noop"))
        later = new_request("later", demand="noop")
        await submit(swarm, later, at=await server_time(swarm) + 4)

        async def some(number: int) -> bool:
            return len(await accepted(swarm)) >= number

        await wait_for_async(lambda: some(2), 20)
        server.kill()
        server.restart()
        await wait_for_async(lambda: some(5), 30)
        requests = await accepted(swarm)
        assert len({one.id for one in requests}) == len(requests)
        assert later.id in [one.id for one in requests]
        assert [one.schedule.name for one in await list_schedules(swarm)] == ["daily", "t"]


@pytest.mark.long
async def test_a_coordinator_that_is_killed_leaves_no_firing_behind(lab: Lab) -> None:
    first = await lab.coordinator(name="first")
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    await create_schedule(swarm, "t", "@every 1s", "UTC", new_request("tick", demand="noop"))

    async def some(number: int) -> bool:
        return len(await accepted(swarm)) >= number

    await wait_for_async(lambda: some(2), 20)
    await first.crash()
    await lab.coordinator(name="second")
    await wait_for_async(lambda: some(5), 20)
    await delete_schedule(swarm, await find_schedule(swarm, "t"))
    for one in await accepted(swarm):
        assert (await end_of(swarm, one.id)).head.state == "done"


async def test_a_program_asks_for_later_and_again_and_again(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    client = SwarmClient(await lab.door())
    soon = await client.submit("soon", capability="noop", delay=timedelta(seconds=1))
    assert (await client.wait(soon)).ok
    then = await client.submit("then", capability="noop", at=datetime.now(UTC) + timedelta(hours=1))
    (row,) = [one for one in await client.requests() if one.id == then.id]
    assert row.reason.startswith("scheduled for ")
    for wrong in ({"at": datetime.now()}, {"delay": timedelta(0)}, {"at": datetime.now(UTC) - timedelta(1)}):  # noqa: DTZ005
        with pytest.raises(UsageError):
            await client.submit("x", capability="noop", **wrong)

    row_now = await client.schedules.create("a", "0 9 * * *", "tick", zone="Europe/Berlin", capability="noop")
    assert row_now.next_at is not None
    request = await client.schedules.run("a")
    assert (await client.wait(request)).ok
    assert [one.request for one in (await client.schedules.get("a")).firings] == [request]
    assert not (await client.schedules.enable("a", enabled=False)).schedule.enabled
    await client.schedules.delete("a")
    assert await client.schedules.list() == []


@pytest.mark.long
async def test_a_repository_that_does_not_answer_ends_its_request_visibly(lab: Lab) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    about = RepositoryRef(url="https://nowhere.example.invalid/x.git", label="x")
    standing, _ = await create_schedule(
        swarm, "t", "@every 5s", "UTC", new_request("look", demand="noop", repository=about)
    )

    async def one() -> bool:
        return bool(await accepted(swarm))

    await wait_for_async(one, 30)
    await delete_schedule(swarm, standing)
    (request, *_) = await accepted(swarm)
    assert request.repository is not None
    assert request.repository.commit is None


async def test_a_foreign_message_that_a_schedule_fires_is_dropped(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    for number, body in enumerate((b"garbage", b"{}", b'{"v": 99}', b'{"v": 1, "name": "x"}')):
        await swarm.wire.store(swarm.names.fired(1, f"foreign {number}"), body)
    await swarm.wire.store(swarm.names.cron("foreign"), b"garbage")
    await swarm.wire.store(swarm.names.later("r-abcdefghijklmnop"), b"garbage")
    assert await list_schedules(swarm) == []
    assert [one.id for one in await list_requests(swarm)] == []
    request = new_request("after", demand="noop")
    await submit(swarm, request)
    assert (await end_of(swarm, request.id)).head.state == "done"

    async def none_left() -> bool:
        left = await in_inbox(swarm)
        return not any(subject.startswith(swarm.names.inbox(1, "cron-")[:-1]) for subject in left)

    await wait_for_async(none_left, 10)
