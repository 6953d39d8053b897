"""A, the ceiling: publish, long-lived pull, ack, core reply. No log: a lost reply is a lost result."""

import asyncio
import time
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from .bare import Address, Publisher, Pull, listen, until
from .figures import PAYLOAD, Run, Trips, burst_of
from .ready import Ready

STREAM = "BENCH_A"
CONSUMER = "work"
TASK = "bench.a.task"
REPLY = "bench.a.reply"
WINDOW = 2000
"""Publishes that wait for their PubAck at once."""


async def serve_ceiling(told: dict[str, Any], stop: asyncio.Event, ready: Ready) -> None:
    """Work: answer and ack each message."""
    client = await Address(told["url"], told["credentials"]).connect()
    result = PAYLOAD.encode()

    async def handle(message: Msg) -> None:
        await client.publish(f"{REPLY}.{message.subject.rsplit('.', 1)[1]}", result)
        await client.publish(message.reply, b"+ACK")
        await pull.freed()

    pull = Pull(client, STREAM, CONSUMER, int(told["slots"]), handle, {})
    await pull.start()
    ready()
    await until(stop, client)


class Ceiling:
    """The client's side of A."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._publisher = Publisher(client)
        self._results: dict[str, float] = {}
        self._wanted = 0
        self._all = asyncio.Event()
        self._extra = 0
        self._round = 0

    async def start(self) -> None:
        from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

        stream = self._client.jetstream()
        await stream.add_stream(
            StreamConfig(
                name=STREAM,
                subjects=[f"{TASK}.>"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
            )
        )
        await stream.add_consumer(STREAM, ConsumerConfig(durable_name=CONSUMER, max_ack_pending=100_000))
        await self._publisher.start()
        await listen(self._client, f"{REPLY}.*", self._on_reply)

    async def _on_reply(self, message: Msg) -> None:
        key = message.subject.rsplit(".", 1)[1]
        self._extra += key in self._results
        self._results[key] = time.perf_counter()
        if len(self._results) == self._wanted:
            self._all.set()

    async def burst(self, tasks: int) -> Run:
        """Hand in `tasks` tasks and hold all results."""
        self._results, self._wanted, self._extra, self._round = {}, tasks, 0, self._round + 1
        self._all.clear()
        window = asyncio.Semaphore(WINDOW)
        payload = PAYLOAD.encode()

        async def stored(_: int) -> None:
            window.release()

        began = time.perf_counter()
        for number in range(tasks):
            await window.acquire()
            await self._publisher.store(f"{TASK}.{self._round}-{number}", payload, stored)
        await self._all.wait()
        return burst_of(tasks, began, time.perf_counter(), list(self._results.values()), self._extra)

    async def trip(self, tasks: int, into: Trips) -> None:
        """Measure one round of `tasks` tasks."""
        into.whole.append((await self.burst(tasks)).seconds)
