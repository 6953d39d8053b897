"""Follow: read a stream from a point on, for ever, across restarts of server and stream.

An ephemeral push consumer with flow control and idle heartbeats. A gap, a missed heartbeat or a
reconnect makes it anew after the last sequence that was handled; a stream that was made anew
(memory streams die with their server) is read from its start.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from nats.aio.msg import Msg
from nats.errors import NotJSMessageError

from ..errors import SwarmTimeout
from .foreign import warn_foreign
from .records import new_id
from .wire import ANSWER, NOT_FOUND, ApiError, Wire

log = logging.getLogger(__name__)

IDLE_HEARTBEAT = timedelta(seconds=2)
INACTIVE = timedelta(seconds=30)
GONE = timedelta(seconds=5)
"""How long a stream may be missing while nodes make it anew, or a cluster finds its leaders."""
RETRY_PAUSE = timedelta(milliseconds=250)
_NANOS = 1_000_000_000
_V1_TOKENS = 9


@dataclass(frozen=True, slots=True)
class Followed:
    """One message of a stream."""

    subject: str
    data: bytes
    seq: int
    at: float
    """Server time of storing, seconds since the epoch."""
    pending: int
    """Messages that follow it in the stream by now; 0: this was the newest."""


Handle = Callable[[Followed], Awaitable[None] | None]


@dataclass(slots=True)
class _Position:
    last_seq: int = 0
    stream_created: str = ""


class Follower:
    """Follows one stream; `run` returns only when it is cancelled."""

    def __init__(
        self,
        wire: Wire,
        stream: str,
        subject: str,
        *,
        deliver: str = "last_per_subject",
        on_snapshot: Callable[[], None] | None = None,
        on_reset: Callable[[], None] | None = None,
        on_gone: Callable[[], None] | None = None,
        headers_only: bool = False,
    ) -> None:
        """`deliver`: where to begin, `last_per_subject`, `all` or `new`; `headers_only` leaves bodies out.

        `on_snapshot` is called whenever everything that stood in the stream has been handled,
        `on_reset` when the stream was found to be another one than before, `on_gone` when it was not
        there any more for `GONE`.
        """
        self._wire = wire
        self._stream = stream
        self._subject = subject
        self._deliver = deliver
        self._on_snapshot = on_snapshot
        self._on_reset = on_reset
        self._on_gone = on_gone
        self._missing_since: float | None = None
        self._headers_only = headers_only
        self._position = _Position()
        self._again = asyncio.Event()

    def reconnected(self) -> None:
        """Tell it that the connection came back, so that it need not wait for silence."""
        self._again.set()

    async def run(self, handle: Handle) -> None:
        """Hand every message to `handle`, in order, each once per position."""
        while True:
            self._again.clear()
            try:
                await self._follow_once(handle)
            except (ApiError, SwarmTimeout) as error:
                log.debug("following %s: %s", self._stream, error)
                self._note_missing(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), RETRY_PAUSE.total_seconds())

    def _note_missing(self, error: ApiError | SwarmTimeout) -> None:
        """Tell once that the stream, followed before, is gone; a server that is away says nothing of it."""
        if (
            not isinstance(error, ApiError)
            or error.code not in NOT_FOUND
            or not self._position.stream_created
        ):
            self._missing_since = None
            return
        now = asyncio.get_running_loop().time()
        if self._missing_since is None:
            self._missing_since = now
        elif self._on_gone and now - self._missing_since > GONE.total_seconds():
            self._on_gone()

    async def _follow_once(self, handle: Handle) -> None:
        client = self._wire.client
        inbox = client.new_inbox()
        reader = _Reader(self, handle)
        subscription = await client.subscribe(inbox, cb=reader.on_message)
        consumer = ""
        try:
            config = await self._config(inbox)
            # Named here: what it delivers may be all that was wanted before the answer tells a name.
            consumer = config["name"] = new_id()
            created = await self._wire.api(
                f"CONSUMER.CREATE.{self._stream}.{consumer}",
                {"stream_name": self._stream, "config": config},
            )
            self._missing_since = None
            if not created.get("num_pending"):
                self.caught_up()
            await reader.until_broken(self._again)
        finally:
            if not client.is_closed:
                await subscription.unsubscribe()
                if consumer and client.is_connected:
                    await self._wire.send(f"$JS.API.CONSUMER.DELETE.{self._stream}.{consumer}")

    def caught_up(self) -> None:
        """Report that everything that stood in the stream has been handled."""
        if self._on_snapshot:
            self._on_snapshot()

    def handled(self, followed: Followed) -> None:
        """Move on: this message need not come again."""
        self._position.last_seq = followed.seq
        if followed.pending == 0:
            self.caught_up()

    async def answer(self, message: Msg) -> None:
        """Answer flow control: what came before this message has been handled."""
        stalled = (message.headers or {}).get("Nats-Consumer-Stalled")
        for subject in (message.reply, stalled):
            if subject:
                await self._wire.send(subject)

    async def _config(self, inbox: str) -> dict[str, Any]:
        info = await self._wire.api(f"STREAM.INFO.{self._stream}", timeout=ANSWER)
        created, last = str(info["created"]), int(info["state"]["last_seq"])
        position = self._position
        if position.stream_created and (created != position.stream_created or last < position.last_seq):
            position.last_seq = 0
            if self._on_reset:
                self._on_reset()
        first_time = not position.stream_created
        position.stream_created = created
        config: dict[str, Any] = {
            "deliver_subject": inbox,
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "flow_control": True,
            "idle_heartbeat": int(IDLE_HEARTBEAT.total_seconds() * _NANOS),
            "inactive_threshold": int(INACTIVE.total_seconds() * _NANOS),
            "filter_subject": self._subject,
            "deliver_policy": self._deliver,
            "headers_only": self._headers_only,
        }
        if position.last_seq:
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": position.last_seq + 1}
        elif not first_time and self._deliver == "new":
            # A stream that came anew while we were away: all of it is news.
            config["deliver_policy"] = "all"
        elif first_time and self._deliver == "new":
            # The sequence is kept so that a reconnect before the first message misses nothing.
            position.last_seq = last
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": last + 1}
        return config


class _Reader:
    """Handles the messages of one consumer until its sequence breaks or it falls silent."""

    def __init__(self, follower: Follower, handle: Handle) -> None:
        self._follower = follower
        self._handle = handle
        self._expected = 1
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._broken: asyncio.Future[None] = self._loop.create_future()

    async def on_message(self, message: Msg) -> None:
        if self._broken.done():
            return
        try:
            if not await self._take(message):
                self._broken.set_result(None)
        except NotJSMessageError:
            warn_foreign(log, "the inbox of a follower", f"{len(message.data)} bytes; ignored")
        except Exception as error:  # noqa: BLE001  the client would only log it; the follower must end
            self._broken.set_exception(error)
        self._heard = self._loop.time()

    async def _take(self, message: Msg) -> bool:
        if message.headers and "Status" in message.headers:
            await self._follower.answer(message)
            in_order = _last_consumer_seq(message) in (None, self._expected - 1)
            if in_order and not message.reply and "Nats-Consumer-Stalled" not in message.headers:
                # An idle heartbeat: nothing waits, whatever the last message said; the rest was purged.
                self._follower.caught_up()
            return in_order
        followed, consumer_seq = read_delivery(message)
        if consumer_seq != self._expected:
            return False
        self._expected += 1
        outcome = self._handle(followed)
        if outcome is not None:
            await outcome
        self._follower.handled(followed)
        return True

    async def until_broken(self, again: asyncio.Event) -> None:
        """Return when the consumer must be made anew; raise what a handler raised."""
        waker = asyncio.ensure_future(again.wait())
        ends: set[asyncio.Future[Any]] = {waker, self._broken}
        silence = IDLE_HEARTBEAT.total_seconds() * 2.5
        try:
            while (left := self._heard + silence - self._loop.time()) > 0:
                await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if self._broken.done():
                    return self._broken.result()
                if waker.done():
                    return None
            return None
        finally:
            waker.cancel()
            if self._broken.done():
                self._broken.exception()
            else:
                self._broken.set_result(None)


def _last_consumer_seq(message: Msg) -> int | None:
    value = (message.headers or {}).get("Nats-Last-Consumer")
    return int(value) if value and value.isdecimal() else None


def read_delivery(message: Msg) -> tuple[Followed, int]:
    """Read stream sequence, time and consumer sequence from a delivery's reply subject.

    nats-py's own reading makes a datetime and two objects more; here it is done for each entry.
    """
    tokens = message.reply.split(".")
    if tokens[:2] != ["$JS", "ACK"] or len(tokens) < _V1_TOKENS:
        raise NotJSMessageError
    # ADR-15 of NATS: the second form puts domain and account before the stream, and a token at the end.
    first = 4 if len(tokens) == _V1_TOKENS else 6
    try:
        _, seq, consumer_seq, nanos, pending = map(int, tokens[first : first + 5])
    except ValueError:
        raise NotJSMessageError from None
    return Followed(message.subject, message.data, seq, nanos / _NANOS, pending), consumer_seq
