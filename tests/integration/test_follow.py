"""Following a stream: in order, each once, across restarts of the server and of the stream."""

import asyncio

import pytest

from picoclaw.swarm.follow import Followed, Follower
from picoclaw.swarm.log import snapshot
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import Lab, lab_on
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]


def subject(swarm: Swarm, number: int) -> str:
    return swarm.names.log_of("r-x", f"s{number}")


async def put(swarm: Swarm, first: int, last: int, *, width: int = 10**6) -> None:
    for number in range(first, last):
        await swarm.wire.store(subject(swarm, number % width), str(number).encode())


class Seen:
    """What a follower handed over."""

    def __init__(self) -> None:
        self.found: list[Followed] = []

    def __call__(self, followed: Followed) -> None:
        self.found.append(followed)

    @property
    def numbers(self) -> list[int]:
        return [int(followed.data) for followed in self.found]


async def test_everything_in_order_what_stood_there_and_what_comes(lab: Lab) -> None:
    swarm, seen = await lab.door(), Seen()
    await put(swarm, 0, 50)
    caught_up = swarm.follow(swarm.names.log, swarm.names.log_filter(), seen, deliver="all")
    await asyncio.wait_for(caught_up.wait(), 5)
    assert seen.numbers == list(range(50))
    await put(swarm, 50, 60)
    await wait_for_async(lambda: seen.numbers == list(range(60)))


async def test_last_per_subject_gives_the_current_state_then_every_change(lab: Lab) -> None:
    swarm, seen = await lab.door(), Seen()
    await put(swarm, 0, 50, width=10)
    caught_up = swarm.follow(swarm.names.log, swarm.names.log_filter(), seen)
    await asyncio.wait_for(caught_up.wait(), 5)
    assert seen.numbers == list(range(40, 50))
    await put(swarm, 50, 70, width=10)
    await wait_for_async(lambda: seen.numbers == list(range(40, 70)))


async def test_new_gives_only_what_comes(lab: Lab) -> None:
    swarm, seen = await lab.door(), Seen()
    await put(swarm, 0, 5)
    caught_up = swarm.follow(swarm.names.log, swarm.names.log_filter(), seen, deliver="new")
    await asyncio.wait_for(caught_up.wait(), 5)
    await put(swarm, 5, 8)
    await wait_for_async(lambda: seen.numbers == [5, 6, 7])


async def test_an_empty_stream_is_caught_up_with_at_once(lab: Lab) -> None:
    swarm = await lab.door()
    caught_up = swarm.follow(swarm.names.log, swarm.names.log_filter(), Seen())
    await asyncio.wait_for(caught_up.wait(), 2)
    assert await snapshot(swarm.wire, swarm.names.log, swarm.names.log_filter(), deliver="all") == []


async def test_many_messages_under_flow_control(lab: Lab) -> None:
    swarm, seen = await lab.door(), Seen()
    body = b"7" * 2000
    for chunk in range(0, 6000, 300):
        await asyncio.gather(
            *(swarm.wire.store(subject(swarm, number), body) for number in range(chunk, chunk + 300))
        )

    async def slowly(followed: Followed) -> None:
        seen(followed)
        if followed.seq % 100 == 0:
            await asyncio.sleep(0.001)

    follower = Follower(swarm.wire, swarm.names.log, swarm.names.log_filter(), deliver="all")
    task = asyncio.create_task(follower.run(slowly))
    await wait_for_async(lambda: len(seen.found) == 6000 or task.done())
    assert [followed.seq for followed in seen.found] == list(range(1, 6001))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_consumer_that_somebody_deletes_is_made_anew_without_gap_or_double(lab: Lab) -> None:
    swarm, seen = await lab.door(), Seen()
    await put(swarm, 0, 5)
    caught_up = swarm.follow(swarm.names.log, swarm.names.log_filter(), seen, deliver="all")
    await asyncio.wait_for(caught_up.wait(), 5)
    names = (await swarm.wire.api(f"CONSUMER.NAMES.{swarm.names.log}"))["consumers"]
    await swarm.wire.api(f"CONSUMER.DELETE.{swarm.names.log}.{names[0]}")
    await put(swarm, 5, 10)
    await wait_for_async(lambda: len(seen.numbers) >= 10, 10)
    assert seen.numbers == list(range(10))


async def test_across_a_restart_of_the_server_nothing_is_missed_and_nothing_comes_twice(
    start_nats: StartNats, lab: Lab
) -> None:
    server = start_nats()
    async with lab_on(server.url, lab.folder) as other:
        swarm, seen = await other.door(), Seen()
        await put(swarm, 0, 20)
        caught_up = swarm.follow(swarm.names.log, swarm.names.log_filter(), seen, deliver="all")
        await asyncio.wait_for(caught_up.wait(), 5)
        back = asyncio.Event()
        swarm.on_reconnect(back.set)
        server.kill()
        server.restart()
        await asyncio.wait_for(back.wait(), 10)
        await put(swarm, 20, 30)
        await wait_for_async(lambda: len(seen.numbers) >= 30)
        assert seen.numbers == list(range(30))


async def test_a_stream_that_was_made_anew_is_read_from_its_start(lab: Lab) -> None:
    swarm, seen = await lab.door(), Seen()
    resets: list[int] = []
    stream = swarm.names.members
    follower = Follower(
        swarm.wire, stream, swarm.names.wildcard("node"), on_reset=lambda: resets.append(len(seen.found))
    )
    task = asyncio.create_task(follower.run(seen))
    for number in range(5):
        await swarm.wire.store(swarm.names.member(f"n{number}"), str(number).encode())
    await wait_for_async(lambda: len(seen.found) == 5)
    await swarm.wire.api(f"STREAM.DELETE.{stream}")
    await swarm.ensure_streams()
    for number in range(5, 8):
        await swarm.wire.store(swarm.names.member(f"n{number}"), str(number).encode())
    follower.reconnected()
    await wait_for_async(lambda: seen.numbers == list(range(8)))
    assert resets == [5]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_lost_message_is_noticed_by_the_sequence_and_read_again(lab: Lab) -> None:
    async with Relay(lab.nats.urls[0]) as relay:
        behind, there, seen = await lab.door(url=relay.url), await lab.door(), Seen()
        caught_up = behind.follow(behind.names.log, behind.names.log_filter(), seen, deliver="all")
        await asyncio.wait_for(caught_up.wait(), 5)
        await put(there, 0, 3)
        await wait_for_async(lambda: len(seen.found) == 3)
        relay.swallow = lambda message: b"\r\n3\r\n" in message
        await put(there, 3, 4)
        await wait_for_async(lambda: relay.swallowed == 1)
        relay.swallow = lambda message: False
        await put(there, 4, 6)
        await wait_for_async(lambda: len(seen.numbers) >= 6)
        assert seen.numbers == list(range(6))


async def test_what_a_handler_raises_ends_the_follower_with_it(lab: Lab) -> None:
    swarm = await lab.door()

    def fail(followed: Followed) -> None:
        raise LookupError(followed.subject)

    follower = Follower(swarm.wire, swarm.names.log, swarm.names.log_filter(), deliver="all")
    task = asyncio.create_task(follower.run(fail))
    await put(swarm, 0, 1)
    with pytest.raises(LookupError):
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("answered", [True, False])
async def test_a_follower_that_ends_leaves_no_consumer(lab: Lab, answered: bool) -> None:
    """Also where it had read everything before the server told that the consumer is made."""
    async with Relay(lab.nats.urls[0]) as relay:
        swarm, there = await lab.door(url=relay.url), await lab.door()
        await put(swarm, 0, 3)
        relay.swallow = lambda message: not answered and b"consumer_create_response" in message
        await snapshot(swarm.wire, swarm.names.log, swarm.names.log_filter(), deliver="all")
        await wait_for_async(lambda: relay.swallowed == int(not answered))

        async def none() -> bool:
            return not (await there.wire.api(f"CONSUMER.NAMES.{swarm.names.log}"))["consumers"]

        await wait_for_async(none)


async def test_a_foreign_message_on_its_inbox_is_named_and_ignored(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    swarm, foreign, seen = await lab.door(), await lab.door(), Seen()
    await put(swarm, 0, 5)
    caught_up = swarm.follow(swarm.names.log, swarm.names.log_filter(), seen, deliver="all")
    await asyncio.wait_for(caught_up.wait(), 5)
    consumers = await foreign.wire.api(f"CONSUMER.LIST.{swarm.names.log}")
    inbox = consumers["consumers"][0]["config"]["deliver_subject"]
    await foreign.client.publish(inbox, b"garbage")
    await wait_for_async(lambda: "foreign message on the inbox" in caplog.text)
    await put(swarm, 5, 10)
    await wait_for_async(lambda: seen.numbers == list(range(10)))


async def test_what_is_purged_before_it_could_be_sent_is_not_waited_for(lab: Lab) -> None:
    swarm = await lab.door()
    for number in range(12):  # more than the server sends before flow control has an answer
        await swarm.wire.store(subject(swarm, number), b"x" * 900_000)
    go_on, caught_up, found = asyncio.Event(), asyncio.Event(), list[int]()

    async def handle(followed: Followed) -> None:
        found.append(followed.seq)
        await go_on.wait()

    follower = Follower(
        swarm.wire, swarm.names.log, swarm.names.log_filter(), deliver="all", on_snapshot=caught_up.set
    )
    swarm.tasks.start(follower.run(handle))
    await wait_for_async(lambda: found)
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}")
    go_on.set()
    await asyncio.wait_for(caught_up.wait(), 8)
    assert len(found) < 12
