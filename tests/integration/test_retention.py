"""Retention: what expires, what never does, and the sizes of the streams as an operator set them."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from nats.js.api import ObjectMeta

from picoclaw.errors import RecordRefused
from picoclaw.swarm.artifact_expiry import ArtifactExpiry, Stored, removable
from picoclaw.swarm.bodies import INLINE_LIMIT
from picoclaw.swarm.entries import Accepted, Done
from picoclaw.swarm.janitor import Janitor
from picoclaw.swarm.limits.record import KEY
from picoclaw.swarm.limits.stream_limits import SET, apply_limits
from picoclaw.swarm.prune import ended_before, oldest_open, read_endings, remove_request, settled
from picoclaw.swarm.records import ArtifactRef, Firing, Result
from picoclaw.swarm.server_time import server_time
from picoclaw.swarm.submission import new_request, submit
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors, returning
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import Lab, ask, end_of, kinds
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

AT_ONCE = timedelta(seconds=-10)
"""A grace that is over, also where the estimate of the server's clock lags."""

LARGE = "x" * (2 * INLINE_LIMIT)


async def config(swarm: Swarm, stream: str) -> dict[str, object]:
    found: dict[str, object] = (await swarm.wire.api(f"STREAM.INFO.{stream}"))["config"]
    return found


async def objects(swarm: Swarm) -> set[str]:
    return set(await ArtifactExpiry(swarm)._stored())


async def test_sizes_and_ages_that_are_set_hold_on_the_streams_and_go_back_when_unset(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.follow_limits()
    before = await config(swarm, swarm.names.log)
    await swarm.live.change(
        {"size.log": 2 << 30, "keep.dead_letters": timedelta(days=2), "keep.events": timedelta(seconds=5)}
    )
    await wait_for_async(lambda: swarm.live.record.size_log == 2 << 30)
    await apply_limits(swarm)
    assert (await config(swarm, swarm.names.log))["max_bytes"] == 2 << 30
    assert (await config(swarm, swarm.names.dead_letters))["max_age"] == 172_800 * 10**9
    assert (await config(swarm, swarm.names.events))["max_age"] == 5 * 10**9
    await swarm.live.change({"size.log": None})
    await wait_for_async(lambda: swarm.live.record.size_log is None)
    await apply_limits(swarm)
    after = await config(swarm, swarm.names.log)
    assert after["max_bytes"] == before["max_bytes"]
    assert SET not in dict(after["metadata"])  # type: ignore[call-overload]


async def test_garbage_in_the_place_of_the_limits_keeps_nothing_out_and_is_replaced_by_the_next_change(
    lab: Lab,
) -> None:
    swarm = await lab.door()
    place = swarm.live.bucket.subject(KEY)
    for garbage in (b"{", b"[]", b'{"caps": 1}', b'{"v": 1, "caps": {"noop": -1}}'):
        await swarm.wire.store(place, garbage)
        assert await submit(swarm, new_request("taken all the same", demand="noop"))
        assert (await swarm.live.read()).caps == {}
    _, after = await swarm.live.change({"cap.noop": 2})
    assert (await swarm.live.read()).caps == after.caps == {"noop": 2}
    await swarm.wire.store(place, b"{")
    assert (await swarm.live.read()).caps == {"noop": 2}, "what was read last"
    await swarm.wire.store(place, b'{"v": 99}')
    with pytest.raises(RecordRefused, match="version"):
        await swarm.live.change({"cap.noop": 3})


async def test_a_size_below_what_is_in_use_is_never_applied(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.wire.store(swarm.names.dead_letter("r", "s"), b"x" * 900_000)
    for number in range(3):
        await swarm.wire.store(swarm.names.log_of("r-foreign", f"s{number}"), b"x" * 900_000)
    await swarm.follow_limits()
    await swarm.live.change({"size.log": 1 << 20})
    await wait_for_async(lambda: swarm.live.record.size_log == 1 << 20)
    await apply_limits(swarm)
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.log}")
    assert info["config"]["max_bytes"] > 1 << 20
    assert info["state"]["messages"] == 3


@pytest.mark.parametrize("fired", [False, True])
async def test_a_request_whose_message_is_still_in_the_inbox_is_not_forgotten(lab: Lab, fired: bool) -> None:
    """Its acknowledgement was lost: it is delivered again, and only the log tells that it was had."""
    swarm = await lab.door()
    await swarm.read_members()
    request = new_request("once", demand="noop")
    if fired:
        request = request.model_copy(update={"firing": Firing(schedule="tick", at=1.0)})
    there = swarm.names.fired(1, "tick") if fired else swarm.names.inbox(1, request.id)
    await swarm.wire.store(there, request.to_bytes())
    seq = await swarm.log.append(
        request.id, "_", Accepted(by="a", owner="a", run="gone", request=request), expected=0
    )
    result = Result(summary="had")
    await swarm.log.append(request.id, "_", Done(by="a", node="a", run="gone", result=result), expected=seq)

    assert await settled(swarm, [request.id]) == []
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.requests}", {"filter": there})
    await swarm.wire.store(swarm.names.fired(1, "another"), request.to_bytes())
    assert await settled(swarm, [request.id]) == [request.id]


def test_what_may_go_is_older_than_the_grace_and_than_every_open_request() -> None:
    stored = {f"{at}": Stored(1, float(at), "", False) for at in (100, 5_000, 9_000, 9_999)}
    kept = timedelta(seconds=5_000)

    def going(oldest: float | None, now: float = 10_000) -> set[str]:
        return removable(stored, now=now, oldest_open=oldest, kept=kept)

    assert going(None) == {"100", "5000", "9000"}
    assert going(6_000) == {"100", "5000"}
    assert going(50) == {"100"}, "older than keep.artifacts, although a request is older still"
    assert going(None, now=5_000) == {"100"}


async def test_what_an_open_request_needs_stays_and_goes_with_it(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.read_members()
    expiry = ArtifactExpiry(swarm, grace=AT_ONCE)
    held = await swarm.artifacts.put(b"only the result refers to me" * 9, media_type="text/plain")
    gate = Gate()
    await lab.coordinator()
    result = Result(summary="big", data=LARGE, artifacts=(held,))
    await lab.worker(executors(Runs(do=returning(result)), Runs("wait", do=gate)))
    ended, running = await ask(swarm, LARGE, demand="noop"), await ask(swarm, LARGE + "y", demand="wait")
    await end_of(swarm, ended)
    stray = await swarm.artifacts.put(b"nobody refers to me", media_type="text/plain")

    assert await expiry.sweep(oldest_open=None) >= 1
    names = await objects(swarm)
    assert stray.name not in names
    assert held.name in names, "by way of another body"
    endings = await read_endings(swarm)
    assert ended_before(endings, now=swarm.members.server.now(), age=timedelta(0)) == [ended]
    assert oldest_open(endings) == endings[running].began

    late = await swarm.artifacts.put(b"a job that still runs stored me", media_type="text/plain")
    await remove_request(swarm, ended)
    assert await expiry.sweep(oldest_open=endings[running].began) > 1
    assert held.name not in await objects(swarm)
    assert late.name in await objects(swarm), "it may be the open one's"
    assert await expiry.sweep(oldest_open=None) >= 1
    assert late.name not in await objects(swarm)
    gate.open()
    end = await end_of(swarm, running)
    assert end.head.state == "done", "its body was there"


async def test_a_body_that_is_wanted_at_the_moment_of_its_removal_is_there(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.read_members()
    expiry = ArtifactExpiry(swarm, grace=AT_ONCE)
    body = b"wanted twice"
    ref = await swarm.artifacts.put(body, media_type="text/plain")
    stored = await expiry._stored()
    again = await swarm.artifacts.put(body, media_type="text/plain")
    assert again == ref
    assert await expiry._remove(ref.name, stored[ref.name]) == 0, "its record moved on"
    assert await swarm.artifacts.get(ref) == body

    assert await expiry._remove(ref.name, (await expiry._stored())[ref.name]) == 1
    assert await objects(swarm) == set()
    assert await swarm.artifacts.put(body, media_type="text/plain") == ref
    assert await swarm.artifacts.get(ArtifactRef(name=ref.name, size=ref.size, digest=ref.digest)) == body


async def test_a_request_that_is_accepted_while_it_is_looked_for_references_keeps_its_body(lab: Lab) -> None:
    swarm = await lab.door()
    request = new_request(LARGE, demand="noop")
    await submit(swarm, request)
    stored = await objects(swarm)
    assert stored

    async def readers() -> bool:
        return bool((await swarm.wire.api(f"CONSUMER.NAMES.{swarm.names.log}"))["total"])

    async def gone() -> bool:
        return not await readers()

    async with Relay(lab.nats.urls[0]) as relay:
        slow = await lab.door(url=relay.url)
        slow.members.server.learn(await server_time(swarm))
        relay.slow(latency=0.05)
        sweeping = asyncio.create_task(
            ArtifactExpiry(slow, grace=AT_ONCE).sweep(oldest_open=None), name="sweep"
        )
        await wait_for_async(readers)
        waiting = await swarm.inbox.waiting(request.id)
        assert waiting is not None
        accepted = Accepted(by="test", owner="test", run="test", request=waiting)
        await wait_for_async(gone)
        # The log has been read; what follows is what a coordinator does.
        await swarm.log.append(request.id, "_", accepted, expected=0)
        await swarm.inbox.withdraw(request.id)
        assert await sweeping == 0
    assert await objects(swarm) == stored


async def test_one_damaged_body_keeps_no_other_from_going(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.read_members()
    damaged = await swarm.artifacts.put(b'{"refers": "to others"}', media_type="application/json")
    request = new_request("it refers to what was damaged", demand="noop").model_copy(update={"ref": damaged})
    await submit(swarm, request)
    store = await swarm.client.jetstream().object_store(swarm.names.artifacts)
    await store.put(damaged.name, b"something else", ObjectMeta(description="application/json"))
    stray = await swarm.artifacts.put(b"nobody refers to me", media_type="text/plain")
    assert await ArtifactExpiry(swarm, grace=AT_ONCE).sweep(oldest_open=None) == 1
    assert await objects(swarm) == {damaged.name}, f"and not {stray.name}"


async def test_the_age_that_an_older_version_gave_the_store_goes(lab: Lab) -> None:
    swarm = await lab.door()
    bucket = f"OBJ_{swarm.names.artifacts}"
    await swarm.artifacts.put(b"body", media_type="text/plain")
    await swarm.wire.api(f"STREAM.UPDATE.{bucket}", await config(swarm, bucket) | {"max_age": 10**12})
    await swarm.follow_lanes()
    await swarm.read_members()
    await Janitor(swarm).clean()
    assert (await config(swarm, bucket))["max_age"] == 0
    assert len(await objects(swarm)) == 1


async def test_a_shorter_age_of_requests_holds_at_once(lab: Lab) -> None:
    swarm = await lab.door()
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    request = await ask(swarm, demand="noop")
    await end_of(swarm, request)
    await swarm.live.change({"keep.requests": timedelta(seconds=1)})

    changes = itertools.count(3600)

    async def gone() -> bool:
        # A change wakes the janitor, who otherwise looks once a minute.
        await swarm.live.change({"keep.lanes": timedelta(seconds=next(changes))})
        return await kinds(swarm, request) == []

    await wait_for_async(gone, 20)
