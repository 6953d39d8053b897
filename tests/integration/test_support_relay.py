"""The relay of the tests: it cuts as a network does, and its fault points stand where they say."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from picoclaw.config.settings import NatsSettings
from picoclaw.swarm.connection import connect
from picoclaw.tests.support.fault_points import Write, writes
from picoclaw.tests.support.frames import Frame, Frames, alone
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.relay import Park, Relay, relays
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = pytest.mark.integration

SUBJECT = "picoclaw.h.log.r-1.a"


@pytest.fixture
def park() -> Iterator[Park]:
    with relays() as park:
        yield park


@pytest.fixture
def relay(park: Park, nats_server: NatsServer) -> Relay:
    return park.open(nats_server.url)


async def dial(url: str) -> Client:
    # The product's own: nats-py's leaves the sockets of failed attempts open.
    return await connect(NatsSettings(urls=(url,), connect_timeout=timedelta(seconds=1)), name="test")


@pytest.fixture
async def client(relay: Relay) -> AsyncIterator[Client]:
    client = await dial(relay.url)
    yield client
    relay.lossy()
    relay.heal(reset=True)
    await wait_for_async(lambda: client.is_connected, 5)
    await client.close()


@pytest.fixture
async def there(nats_server: NatsServer) -> AsyncIterator[JetStreamContext]:
    """A client with no relay before it, and a stream."""
    client = await dial(nats_server.url)
    there = client.jetstream()
    await there.add_stream(StreamConfig(name="R", subjects=["picoclaw.h.>"]))
    yield there
    await there.delete_stream("R")
    await client.close()


async def stored(there: JetStreamContext) -> int:
    return int((await there.stream_info("R")).state.messages)


def test_frames_come_whole_however_the_bytes_are_cut() -> None:
    said = (
        b"PING\r\nPUB a.b 5\r\nhel\r\n\r\nPUB a.b _I.1 2\r\nhi\r\n"
        b"HPUB a _I.2 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nxy\r\nMSG s 1 _r 0\r\n\r\n"
    )
    whole = list(Frames().feed(said))
    frames = Frames()
    bit_by_bit = [frame for at in range(len(said)) for frame in frames.feed(said[at : at + 1])]
    assert whole == bit_by_bit
    assert b"".join(frame.raw for frame in whole) == said
    assert [(f.verb, f.subject, f.reply, f.payload) for f in whole] == [
        ("PING", "", "", b""),
        ("PUB", "a.b", "", b"hel\r\n"),
        ("PUB", "a.b", "_I.1", b"hi"),
        ("HPUB", "a", "_I.2", b"xy"),
        ("MSG", "s", "_r", b""),
    ]


def test_a_cluster_s_neighbours_are_kept_from_the_client() -> None:
    info = Frame(b'INFO {"server_id":"x","connect_urls":["10.0.0.1:4222"]}\r\n', "INFO")
    assert alone(info) == b'INFO {"server_id": "x"}\r\n'


@pytest.mark.parametrize(("when", "kept"), [("before", 0), ("after", 1)])
async def test_a_fault_point_stands_before_or_after_the_write(
    relay: Relay, client: Client, there: JetStreamContext, when: str, kept: int
) -> None:
    seen: list[tuple[Write, int]] = []
    loop = asyncio.get_running_loop()

    def act(write: Write) -> None:
        seen.append((write, asyncio.run_coroutine_threadsafe(stored(there), loop).result(5)))

    point = relay.point(writes("log", entry="done", of="task"), when, act)  # type: ignore[arg-type]
    await client.jetstream().publish("picoclaw.h.log.r-1.b", b'{"kind":"started"}')
    with pytest.raises(nats.errors.Error):
        await client.jetstream().publish(SUBJECT, b'{"kind":"done"}', timeout=1, headers={"X": "y"})
    write = await point.wait_async(5)
    assert (write.kind, write.request, write.step, write.entry) == ("log", "r-1", "a", "done")
    assert seen == [(write, 1 + kept)]
    assert await stored(there) == 1 + kept


async def test_a_fault_point_after_an_ack_waits_until_the_server_has_it(
    relay: Relay, client: Client, there: JetStreamContext
) -> None:
    await there.publish(SUBJECT, b"x")
    subscription = await client.jetstream().pull_subscribe("picoclaw.h.>", durable="d", stream="R")
    (message,) = await subscription.fetch(1)
    point = relay.point(writes("ack"), "after")
    await message.ack()
    await point.wait_async(5)

    async def acked() -> bool:
        return bool((await there.consumer_info("R", "d")).num_ack_pending == 0)

    await wait_for_async(acked, 5)
    await there.delete_consumer("R", "d")


async def test_an_answer_may_be_lost_while_the_connection_stands(
    relay: Relay, client: Client, there: JetStreamContext
) -> None:
    relay.point(writes("log"), "after", number=2, then="lose")
    js = client.jetstream()
    await js.publish(SUBJECT, b"1")
    with pytest.raises(nats.errors.TimeoutError):
        await js.publish(SUBJECT, b"2", timeout=0.3)
    await js.publish(SUBJECT, b"3")
    assert await stored(there) == 3
    assert relay.connections == 1


async def test_one_way_silent_then_healed_all_arrives_late(
    relay: Relay, client: Client, there: JetStreamContext
) -> None:
    js = client.jetstream()
    relay.blackhole("down")
    with pytest.raises(nats.errors.TimeoutError):
        await js.publish(SUBJECT, b"1", timeout=0.3)
    assert await stored(there) == 1, "the way up was open"
    relay.blackhole("up")
    with pytest.raises(nats.errors.TimeoutError):
        await js.publish(SUBJECT, b"2", timeout=0.3)
    assert await stored(there) == 1
    relay.heal()
    await js.publish(SUBJECT, b"3")
    assert await stored(there) == 3


async def test_refused_then_healed_the_client_comes_back(
    relay: Relay, client: Client, there: JetStreamContext
) -> None:
    relay.refuse()
    await wait_for_async(lambda: relay.connections > 2, 5, "tries to connect again")
    assert not client.is_connected
    relay.heal()
    await wait_for_async(lambda: client.is_connected, 5)
    await client.jetstream().publish(SUBJECT, b"x")


async def test_latency_delays_and_does_not_slow_down_what_is_sent_together(
    relay: Relay, client: Client, there: JetStreamContext
) -> None:
    relay.slow("both", latency=0.1)
    js, begun = client.jetstream(), time.monotonic()
    await asyncio.gather(*(js.publish(SUBJECT, b"x", timeout=5) for _ in range(50)))
    assert 0.2 <= time.monotonic() - begun < 2
    relay.slow()
    relay.lossy("up", loss=1.0, stall=0.3)
    begun = time.monotonic()
    await js.publish(SUBJECT, b"x", timeout=5)
    assert time.monotonic() - begun >= 0.3
    relay.lossy("up", reset=1.0)
    with pytest.raises(nats.errors.Error):
        await js.publish(SUBJECT, b"x", timeout=0.3)


async def test_what_a_client_sent_before_it_left_arrives(
    relay: Relay, client: Client, there: JetStreamContext
) -> None:
    leaving = await dial(relay.url)
    for _ in range(200):
        await leaving.publish(SUBJECT, b"x" * 1000)
    await leaving.close()

    async def all_there() -> bool:
        return await stored(there) == 200

    await wait_for_async(all_there, 5)
