"""Wire: requests over one NATS connection, many at once, on one inbox.

`nats-py`'s own helpers cost a subscription or several objects per request; the log and the queue
send thousands of requests a second, so their replies are told apart here by a counter in the
subject. Nothing else of the swarm touches the client for requests.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from ..errors import PermissionDenied, SwarmError, SwarmTimeout
from .client import SwarmClient

API = "$JS.API."
REQUEST_TIMEOUT = timedelta(seconds=5)
ANSWER = timedelta(seconds=2)
"""How long one try waits for its answer where another follows: a leader that has gone says nothing at all,
and the one that comes after it has not heard the question."""
PATIENCE = timedelta(seconds=30)
"""How long a node asks for what a cluster without a leader cannot tell yet."""
HEADERS = 1024
"""Bytes kept free in a message for what stands before its body."""
SWEEP = 0.05
"""Seconds by which a time-out may come late."""


class NobodyListens(SwarmTimeout):
    """Raised when the broker has nobody for a subject: no responders."""


class ApiError(SwarmError):
    """Raised when JetStream refuses; the callers that expect a refusal look at `code`."""

    def __init__(self, code: int, description: str, subject: str) -> None:
        super().__init__(f"{description} ({code}) on {subject}")
        self.code = code
        self.description = description


WRONG_LAST_SEQUENCE = 10071
UNDER_WAY = frozenset({10163, 10164})
"""Another message for this subject is on its way to the copies of a stream: nobody knows yet which one counts."""
STREAM_FULL = frozenset({10047, 10077, 10052, 10122})
NOT_FOUND = frozenset({10059, 10037, 10014})
"""No stream, no message, no consumer."""
NOT_YET = frozenset({10004, 10005, 10008, 10009})
"""A cluster that has just started, or whose leader has just gone (server/errors.json of nats-server)."""
AGAIN = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    data: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request that has no reply yet."""

    reply: asyncio.Future[Reply]
    subject: str
    until: float
    """By the event loop's clock."""


class Wire:
    """Sends requests and tells their replies apart.

    Use as an async context manager; the connection itself belongs to the caller.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._inbox = client.new_inbox()
        self._waiting: dict[str, _Waiting] = {}
        self._lost: tuple[_Waiting, ...] = ()
        """What was under way when the connection broke, for as long as it is away."""
        self._sweeping: asyncio.TimerHandle | None = None
        self._counter = 0

    async def __aenter__(self) -> Self:
        self._subscription = await self.client.subscribe(f"{self._inbox}.*", cb=self._on_reply)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for waiting in self._waiting.values():
            if not waiting.reply.done():
                closed = SwarmTimeout("the connection was closed while a request was under way")
                waiting.reply.set_exception(closed)
                waiting.reply.exception()  # nobody may be waiting any more
        self._waiting.clear()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if not self.client.is_closed:
            await self._subscription.unsubscribe()

    def disconnected(self) -> None:
        """Note what is in doubt: it may have gone out, and its answer finds nobody any more."""
        self._lost += tuple(self._waiting.values())

    def reconnected(self) -> None:
        """End what was under way when the connection broke, so that it is asked again at once."""
        for waiting in self._lost:
            if not waiting.reply.done():
                waiting.reply.set_exception(
                    SwarmTimeout(f"the connection was lost while {waiting.subject} was to answer; try again")
                )
        self._lost = ()

    async def _on_reply(self, message: Msg) -> None:
        waiting = self._waiting.pop(message.subject.rsplit(".", 1)[1], None)
        if waiting is None or waiting.reply.done():
            return
        headers = message.headers or {}
        if headers.get("Status") == "503":
            waiting.reply.set_exception(NobodyListens(f"nobody listens on {waiting.subject}"))
        else:
            waiting.reply.set_result(Reply(message.data, headers))

    async def send(
        self, subject: str, payload: bytes = b"", *, headers: dict[str, str] | None = None
    ) -> None:
        """Publish without waiting for an answer.

        Raises SwarmTimeout when the connection is gone and its buffer is full, SwarmError for a message
        over the server's limit.
        """
        self._check_size(subject, payload)
        try:
            await self.client.publish(subject, payload, headers=headers)
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
            raise SwarmTimeout(f"cannot send on {subject}: {error}; is the NATS server up?") from None

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        headers: dict[str, str] | None = None,
        timeout: timedelta = REQUEST_TIMEOUT,
    ) -> Reply:
        """Send a request and return its reply.

        Raises NobodyListens, SwarmTimeout, PermissionDenied, or SwarmError for a message over the
        server's limit.
        """
        self._check_size(subject, payload)
        self._counter += 1
        key = str(self._counter)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(loop.create_future(), subject, loop.time() + timeout.total_seconds())
        self._waiting[key] = waiting
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP, self._sweep, loop)
        try:
            await self.client.publish(subject, payload, f"{self._inbox}.{key}", headers)
            return await waiting.reply
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
            raise SwarmTimeout(f"cannot send on {subject}: {error}; is the NATS server up?") from None
        finally:
            self._waiting.pop(key, None)

    def _check_size(self, subject: str, payload: bytes) -> None:
        # nats-py leaves the headers out of account, and the server cuts the connection of whoever sends more.
        if len(payload) > self.client.max_payload - HEADERS:
            raise SwarmError(
                f"a message of {len(payload)} bytes for {subject} is over the NATS server's limit of "
                f"{self.client.max_payload}: raise max_payload in the server's configuration"
            )

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what has waited for too long; a timer for each of thousands of requests costs more."""
        now = loop.time()
        for waiting in self._waiting.values():
            if now >= waiting.until and not waiting.reply.done():
                waiting.reply.set_exception(self._late(waiting.subject))
        self._sweeping = loop.call_later(SWEEP, self._sweep, loop) if self._waiting else None

    def _late(self, subject: str) -> SwarmTimeout | PermissionDenied:
        denial = self.client.denied.denial(subject) if isinstance(self.client, SwarmClient) else None
        return denial or SwarmTimeout(
            f"no answer on {subject} in time; is the NATS server up, and in a cluster most of its servers?"
        )

    async def api(
        self, call: str, body: Mapping[str, Any] | None = None, *, timeout: timedelta = REQUEST_TIMEOUT
    ) -> dict[str, Any]:
        """Call the JetStream API, such as `STREAM.INFO.<name>`.

        Raises ApiError when it refuses.
        """
        payload = json.dumps(body).encode() if body is not None else b""
        reply = await self.request(API + call, payload, timeout=timeout)
        return _answer(reply.data, API + call)

    async def ensure(
        self,
        call: str,
        body: Mapping[str, Any] | None = None,
        *,
        patience: timedelta = PATIENCE,
        passing: frozenset[int] = NOT_YET,
    ) -> dict[str, Any]:
        """Call the JetStream API with what is harmless to ask twice, until a leader answers it.

        It outlasts a lost connection too. `passing`: codes of refusals that pass by themselves. Raises
        SwarmTimeout once `patience` is over without a leader, and any other ApiError.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience.total_seconds()
        while True:
            try:
                return await self.api(call, body, timeout=min(ANSWER, patience))
            except ApiError as error:
                if error.code not in passing:
                    raise
                if loop.time() > deadline:
                    if error.code in NOT_YET:
                        raise SwarmTimeout(self._no_leader(call, patience)) from None
                    raise
            except SwarmTimeout:
                if loop.time() > deadline:
                    raise SwarmTimeout(self._no_leader(call, patience)) from None
            await asyncio.sleep(AGAIN.total_seconds())

    def _no_leader(self, call: str, patience: timedelta) -> str:
        if not self.client.is_connected:
            return (
                f"the connection to NATS was lost and did not come back within {patience.total_seconds():g} s"
            )
        return (
            f"JetStream has not answered for {patience.total_seconds():g} s ({API}{call}): in a cluster most of "
            "its servers must run, and two of the three that hold a stream; check them, then try again"
        )

    async def store(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: dict[str, str] | None = None,
        timeout: timedelta = REQUEST_TIMEOUT,
    ) -> int:
        """Publish into a stream and return the message's sequence.

        Raises ApiError when the stream refuses, NobodyListens when no stream takes the subject, and
        SwarmTimeout when it stays in doubt.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout.total_seconds()
        while True:
            reply = await self.request(subject, payload, headers=headers, timeout=timeout)
            try:
                return int(_answer(reply.data, subject)["seq"])
            except ApiError as error:
                if error.code not in UNDER_WAY:
                    raise
            if loop.time() > deadline:
                raise SwarmTimeout(f"an earlier message on {subject} stays under way: do most servers run?")
            await asyncio.sleep(SWEEP)


def _answer(data: bytes, subject: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(data)
        error = answer.get("error")
    except (ValueError, AttributeError, RecursionError):
        raise SwarmTimeout(f"what came back on {subject} is no answer of a NATS server") from None
    if error:
        code = int(error.get("err_code") or error.get("code") or 0)
        raise ApiError(code, str(error.get("description", "refused")), subject)
    return answer
