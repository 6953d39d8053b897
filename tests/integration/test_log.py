"""The log against a real server: compare-and-set, and an append that is never in doubt."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from picoclaw.errors import AppendRefused, SwarmTimeout
from picoclaw.swarm.entries import Cancelled, Queued
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import Lab, kinds, lab_on
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

REQUEST = "r-aaaaaaaaaaaaaaaa"


def queued(attempt: int = 1) -> Queued:
    return Queued(by="test", demand="noop", priority=1, attempt=attempt)


@pytest.fixture
async def relay(nats_server: NatsServer) -> AsyncIterator[Relay]:
    async with Relay(nats_server.url) as relay:
        yield relay


class LosePubAcks:
    """Loses the next answers that say where a message was stored."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, message: bytes) -> bool:
        body = message.partition(b"\r\n")[2].strip()
        if not self.left or not body.startswith(b'{"stream"'):
            return False
        if "seq" not in json.loads(body):
            return False
        self.left -= 1
        return True


async def appended_through(relay: Relay, lab: Lab, lost: int) -> Swarm:
    """Append twice through the relay, which loses the first answers; return the door behind it."""
    swarm = await lab.door(url=relay.url)
    relay.swallow = LosePubAcks(lost)
    first = await swarm.log.append(REQUEST, "a", queued(), expected=0)
    await swarm.log.append(REQUEST, "a", queued(2), expected=first)
    return swarm


async def test_an_append_whose_answer_is_lost_ends_in_exactly_one_entry(lab: Lab, relay: Relay) -> None:
    swarm = await appended_through(relay, lab, 1)
    assert relay.swallowed == 1
    found = [followed async for followed in swarm.log.history(REQUEST, "a")]
    assert len(found) == 2
    assert (await swarm.log.head(REQUEST, "a")).attempt == 2


async def test_an_append_that_never_reached_the_server_is_sent_again(lab: Lab, relay: Relay) -> None:
    swarm = await lab.door(url=relay.url)
    relay.hold()
    appending = asyncio.create_task(swarm.log.append(REQUEST, "a", queued(), expected=0))
    await asyncio.sleep(0.1)
    assert not appending.done()
    relay.release()
    seq = await appending
    assert [followed.seq async for followed in swarm.log.history(REQUEST, "a")] == [seq]


async def test_an_append_in_doubt_that_somebody_else_overtook_is_refused(lab: Lab, relay: Relay) -> None:
    """Its own entry did not arrive: a fence did."""
    behind, there = await lab.door(url=relay.url), await lab.door()
    first = await there.log.append(REQUEST, "a", queued(), expected=0)
    relay.hold()
    appending = asyncio.create_task(behind.log.append(REQUEST, "a", queued(2), expected=first))
    await asyncio.sleep(0.05)
    fence = await there.log.append(
        REQUEST, "a", Cancelled(by="test", reason="person", why="no"), expected=first
    )
    relay.release()
    with pytest.raises(AppendRefused) as refused:
        await appending
    assert refused.value.last_seq == fence
    assert await kinds(there, REQUEST, "a") == ["queued", "cancelled"]


async def test_an_append_survives_a_server_that_is_killed_and_comes_back(
    start_nats: StartNats, lab: Lab
) -> None:
    server = start_nats()
    async with lab_on(server.url, lab.folder) as other:
        swarm = await other.door()
        first = await swarm.log.append(REQUEST, "a", queued(), expected=0)
        server.kill()
        appending = asyncio.create_task(swarm.log.append(REQUEST, "a", queued(2), expected=first))
        await asyncio.sleep(0.2)
        server.restart()
        await appending
        assert await kinds(swarm, REQUEST, "a") == ["queued", "queued"]


async def test_an_append_whose_answer_is_lost_and_that_somebody_wrote_over_is_known_to_stand(
    lab: Lab, relay: Relay
) -> None:
    behind, there = await lab.door(url=relay.url), await lab.door()
    relay.swallow = LosePubAcks(1)
    appending = asyncio.create_task(behind.log.append(REQUEST, "a", queued(), expected=0))

    async def stored() -> int:
        return (await there.log.head(REQUEST, "a")).seq

    first = await wait_for_async(stored)
    await there.log.append(REQUEST, "a", queued(2), expected=first)
    with pytest.raises(AppendRefused) as refused:
        await appending
    assert refused.value.written
    assert len([followed async for followed in there.log.history(REQUEST, "a")]) == 2


async def test_patience_ends_in_words_that_say_what_to_do(lab: Lab, relay: Relay) -> None:
    swarm = await lab.door(url=relay.url)
    relay.swallow = lambda message: b'"seq"' in message
    with pytest.raises(SwarmTimeout, match="look at the task before trying again"):
        await swarm.log.append(REQUEST, "a", queued(), expected=0, patience=timedelta(seconds=0.1))
    relay.swallow = lambda message: False


async def test_of_many_who_append_over_the_same_entry_one_wins(lab: Lab) -> None:
    doors = [await lab.door() for _ in range(3)]
    first = await doors[0].log.append(REQUEST, "a", queued(), expected=0)

    async def contend(number: int) -> bool:
        try:
            await doors[number % 3].log.append(REQUEST, "a", queued(number + 2), expected=first)
        except AppendRefused:
            return False
        return True

    won = await asyncio.gather(*(contend(number) for number in range(30)))
    assert won.count(True) == 1
    assert (await doors[0].log.head(REQUEST, "a")).attempt == won.index(True) + 2


async def test_a_foreign_message_in_the_log_moves_the_sequence_and_nothing_else(lab: Lab) -> None:
    swarm = await lab.door()
    await swarm.log.append(REQUEST, "a", queued(), expected=0)
    await swarm.wire.store(swarm.names.log_of(REQUEST, "a"), b"\xff not an entry")
    head = await swarm.log.head(REQUEST, "a")
    assert (head.state, head.attempt) == ("queued", 1)
    await swarm.log.append(REQUEST, "a", queued(2), expected=head.seq)
    assert (await swarm.log.head(REQUEST, "a")).attempt == 2


async def test_history_of_a_request_is_in_order_and_holds_nobody_elses(lab: Lab) -> None:
    swarm = await lab.door()
    for number in range(5):
        await swarm.log.append(REQUEST, f"s{number}", queued(), expected=0)
        await swarm.log.append("r-bbbbbbbbbbbbbbbb", f"s{number}", queued(), expected=0)
    found = [followed async for followed in swarm.log.history(REQUEST)]
    assert [f.subject.rsplit(".", 1)[1] for f in found] == [f"s{number}" for number in range(5)]
    assert [f.seq for f in found] == sorted(f.seq for f in found)
    assert len(await swarm.log.heads()) == 10


async def test_what_is_under_way_when_the_connection_breaks_ends_with_it(lab: Lab, relay: Relay) -> None:
    swarm = await lab.door(url=relay.url)
    relay.blackhole("down")
    asking = asyncio.create_task(
        swarm.wire.api(f"STREAM.INFO.{swarm.names.log}", timeout=timedelta(minutes=1))
    )
    await asyncio.sleep(0)  # it has been handed to the connection
    relay.heal(reset=True)
    with pytest.raises(SwarmTimeout, match="the connection was lost"):
        await asyncio.wait_for(asking, 10)
