"""Bare: what nats-py alone needs to be as fast as it can be: pipelined publishes and a long-lived pull."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
EXPIRES = 30_000_000_000
_MESSAGES = 2_000_000
_BYTES = 1 << 30

Then = Callable[[int], Awaitable[None]]
Handle = Callable[[Msg], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is."""

    url: str
    credentials: str
    """`user:password`."""

    async def connect(self) -> Client:
        user, _, password = self.credentials.partition(":")
        return await nats.connect(self.url, user=user, password=password, pending_size=64 << 20)


async def listen(client: Client, subject: str, handle: Handle) -> None:
    """Subscribe with limits that no burst of ours reaches."""
    await client.subscribe(subject, cb=handle, pending_msgs_limit=_MESSAGES, pending_bytes_limit=_BYTES)


class Publisher:
    """Publishes into streams without waiting; each PubAck's sequence goes to its own callback.

    Cheaper than nats-py's `publish_async`, which makes a NUID, a future and a semaphore step for each.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._then: dict[str, Then] = {}
        self._counter = 0
        self.failed = ""

    async def start(self) -> None:
        await listen(self._client, f"{self._inbox}.*", self._on_ack)

    async def store(
        self, subject: str, payload: bytes, then: Then, headers: dict[str, str] | None = None
    ) -> None:
        """Publish; `then` is awaited with the message's sequence."""
        self._counter += 1
        key = str(self._counter)
        self._then[key] = then
        await self._client.publish(subject, payload, f"{self._inbox}.{key}", headers)

    async def _on_ack(self, message: Msg) -> None:
        then = self._then.pop(message.subject.rsplit(".", 1)[1])
        answer: dict[str, Any] = json.loads(message.data) if message.data else {"error": "nobody listens"}
        if "error" in answer:
            self.failed = str(answer["error"])
            return
        await then(int(answer["seq"]))


class Pull:
    """A long-lived overlapping pull: never more messages than `slots`, asked for anew at half."""

    def __init__(
        self, client: Client, stream: str, consumer: str, slots: int, handle: Handle, group: dict[str, Any]
    ) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._slots = slots
        self._handle = handle
        self._group = group
        self._inbox = client.new_inbox()
        self._credit = 0
        self.busy = 0

    async def start(self) -> None:
        await listen(self._client, self._inbox, self._on_message)
        await self._refill()

    async def freed(self) -> None:
        """Take the end of one message's work."""
        self.busy -= 1
        await self._refill()

    async def _refill(self) -> None:
        room = self._slots - self.busy - self._credit
        if room * 2 < self._slots and (room <= 0 or self._credit + self.busy > 1):
            return
        self._credit += room
        body = {"batch": room, "expires": EXPIRES, **self._group}
        await self._client.publish(self._subject, json.dumps(body).encode(), self._inbox)

    async def _on_message(self, message: Msg) -> None:
        if not message.reply:
            self._credit -= int((message.headers or {}).get("Nats-Pending-Messages", self._credit))
            await self._refill()
            return
        self._credit -= 1
        self.busy += 1
        await self._handle(message)


async def follow(client: Client, subject: str, handle: Handle) -> None:
    """Follow a stream's new messages with nats-py's own ordered consumer."""
    from nats.js.api import DeliverPolicy

    await client.jetstream().subscribe(
        subject,
        ordered_consumer=True,
        cb=handle,
        deliver_policy=DeliverPolicy.NEW,
        pending_msgs_limit=_MESSAGES,
        pending_bytes_limit=_BYTES,
    )


def stored_at(message: Msg) -> float:
    """Return when the server stored a delivered message, in seconds since the epoch."""
    return int(message.reply.split(".")[7]) / 1e9


async def until(stop: asyncio.Event, client: Client) -> None:
    """Serve until told to stop, then close."""
    await stop.wait()
    await client.close()
