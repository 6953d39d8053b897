"""B's processes: bare nats-py that writes to the log what our worker and our coordinator write.

The streams, the consumers and their configuration are ours, made by our own code; the bodies are
the least that carries 200 bytes of payload and result.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from picoclaw.swarm.puller import GROUP
from picoclaw.swarm.subjects import REQUEST_STEP, Names, split_log_subject

from .bare import EXPECTED, Address, Publisher, Pull, follow, until
from .figures import PAYLOAD
from .ready import Ready

PRIORITY = 1
RANK = 4


def entry(kind: str, **more: Any) -> bytes:
    """Return a log entry's least form."""
    return json.dumps({"kind": kind, **more}).encode()


STARTED = entry("started")
DONE = entry("done", result=PAYLOAD)
QUEUED = entry("queued")


async def serve_worker(told: dict[str, Any], stop: asyncio.Event, ready: Ready) -> None:
    """Work: `started` on the log, `done` on the log, then ack."""
    client = await Address(told["url"], told["credentials"]).connect()
    names = Names(told["hid"])
    publisher = Publisher(client)
    await publisher.start()

    async def handle(message: Msg) -> None:
        log = names.log_of(*split_log_subject(message.subject))
        queued = json.loads(message.data)["queued"]

        async def started(seq: int) -> None:
            await publisher.store(log, DONE, done, {EXPECTED: str(seq)})

        async def done(_: int) -> None:
            await client.publish(message.reply, b"+ACK")
            await pull.freed()

        await publisher.store(log, STARTED, started, {EXPECTED: str(queued)})

    group = {"group": GROUP, "priority": RANK}
    pull = Pull(client, names.tasks, told["consumer"], int(told["slots"]), handle, group)
    await pull.start()
    ready()
    await until(stop, client)


class Releaser:
    """Puts tasks on the log and on their lane, pipelined."""

    def __init__(self, names: Names, lane: str, publisher: Publisher, window: int) -> None:
        self._names = names
        self._lane = lane
        self._publisher = publisher
        self._window = asyncio.Semaphore(window)

    async def release(self, request: str, steps: Sequence[str]) -> None:
        """Queue every step; each task's message follows its `queued` entry."""
        for step in steps:
            await self._window.acquire()
            log = self._names.log_of(request, step)
            await self._publisher.store(log, QUEUED, partial(self._queued, request, step), {EXPECTED: "0"})

    async def _queued(self, request: str, step: str, seq: int) -> None:
        subject = self._names.task(self._lane, PRIORITY, request, step)
        body = json.dumps({"queued": seq, "payload": PAYLOAD}).encode()
        await self._publisher.store(subject, body, self._on_lane, {EXPECTED: "0"})

    async def _on_lane(self, _: int) -> None:
        self._window.release()


async def serve_coordinator(told: dict[str, Any], stop: asyncio.Event, ready: Ready) -> None:
    """Coordinate: take a request, write `accepted` and `planned`, release its tasks, end it."""
    client = await Address(told["url"], told["credentials"]).connect()
    names = Names(told["hid"])
    publisher = Publisher(client)
    await publisher.start()
    releaser = Releaser(names, told["lane"], publisher, int(told["window"]))
    open_tasks: dict[str, int] = {}
    last_seq: dict[str, int] = {}
    inbox = _inbox(client, names, publisher, releaser, open_tasks, last_seq)

    async def on_log(message: Msg) -> None:
        request, step = split_log_subject(message.subject)
        if step == REQUEST_STEP or json.loads(message.data)["kind"] != "done" or request not in open_tasks:
            return
        open_tasks[request] -= 1
        if open_tasks[request] == 0:
            del open_tasks[request]
            expected = {EXPECTED: str(last_seq.pop(request))}
            await publisher.store(names.log_of(request), entry("done"), _nothing, expected)

    await follow(client, names.log_filter(), on_log)
    await inbox.start()
    ready()
    await until(stop, client)


def _inbox(
    client: Client,
    names: Names,
    publisher: Publisher,
    releaser: Releaser,
    open_tasks: dict[str, int],
    last_seq: dict[str, int],
) -> Pull:
    async def handle(message: Msg) -> None:
        request = message.subject.rsplit(".", 1)[1]
        tasks = int(json.loads(message.data)["tasks"])
        log = names.log_of(request)

        async def accepted(seq: int) -> None:
            await client.publish(message.reply, b"+ACK")
            await pull.freed()
            await publisher.store(log, entry("planned", tasks=tasks), planned, {EXPECTED: str(seq)})

        async def planned(seq: int) -> None:
            open_tasks[request], last_seq[request] = tasks, seq
            await releaser.release(request, [f"t{number}" for number in range(tasks)])

        await publisher.store(log, entry("accepted"), accepted, {EXPECTED: "0"})

    pull = Pull(client, names.requests, names.inbox_consumer(PRIORITY), 16, handle, {})
    return pull


async def _nothing(_: int) -> None:
    return
