"""Inbox: what users asked and no coordinator has yet written down."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

from ..config.durations import format_duration
from ..errors import QueueFull, RecordRefused, SwarmError, SwarmTimeout
from .artifacts import ArtifactStore
from .bodies import INLINE_LIMIT, pack_request
from .kv import last_message
from .lanes import MAX_ACK_PENDING, MAX_WAITING
from .later import later_headers
from .limits.live import LiveLimits
from .puller import Source
from .records import Request
from .subjects import EXPECTED_SUBJECT_SEQ, LEVELS, Names, split_log_subject
from .tracing.context import in_headers
from .wire import (
    ANSWER,
    REQUEST_TIMEOUT,
    STREAM_FULL,
    WRONG_LAST_SEQUENCE,
    ApiError,
    NobodyListens,
    Wire,
)

log = logging.getLogger(__name__)

WRITERS = 300
"""Bodies that may be written to the log at once, between two looks at its size."""
SMALL = 2_000
"""Bytes of a body that an entry holds however full the log is."""
HANDED_ON = max(LEVELS)
"""The level at which a request waits that an agent handed on: a task that runs already waits for it."""
ROOM_HOLDS = 1.0
"""Seconds for which a look at the log's size is believed."""

_NANOS = 1_000_000_000
_RETRY = timedelta(milliseconds=250)


class Inbox:
    """Takes requests in, and gives coordinators the consumers to pull them from."""

    def __init__(
        self,
        wire: Wire,
        names: Names,
        artifacts: ArtifactStore,
        *,
        limits: LiveLimits,
        ack_wait: timedelta,
    ) -> None:
        self._wire = wire
        self._names = names
        self._artifacts = artifacts
        self._limits = limits
        self._ack_wait = ack_wait
        self._inline, self._inline_until = INLINE_LIMIT, 0.0

    async def log_fill(self, *, patience: timedelta = REQUEST_TIMEOUT) -> float:
        """Return how full the log is, 0 to 1; asks for up to `patience` while it has no leader."""
        info = await self._wire.ensure(f"STREAM.INFO.{self._names.log}", patience=patience)
        largest = int(info["config"].get("max_bytes", -1))
        return int(info["state"]["bytes"]) / largest if largest > 0 else 0.0

    async def room(self) -> int | None:
        """Return the bytes that the log has left below its admission limit; None: it has no size."""
        info = await self._wire.ensure(f"STREAM.INFO.{self._names.log}", patience=REQUEST_TIMEOUT)
        largest = int(info["config"].get("max_bytes", -1))
        if largest <= 0:
            return None
        return int(largest * self._limits.effective.admission) - int(info["state"]["bytes"])

    async def inline_limit(self) -> int:
        """Return how many bytes of a body an entry may hold now; a larger one goes to the artifacts.

        What a plan or a result takes is known only once it is there, after its request was admitted: as
        the log fills they leave it, so that many at once cannot use up what is kept for every end.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= self._inline_until:
            try:
                room = await self.room()
            except SwarmError as error:
                log.debug("size of the log not read: %s", error)
                room = None
            share = INLINE_LIMIT if room is None else room // WRITERS
            self._inline = min(INLINE_LIMIT, max(SMALL, share))
            self._inline_until = loop.time() + ROOM_HOLDS
        return self._inline

    def check_room(self, fill: float, used: int) -> None:
        """Raise QueueFull when the log is as full as `fill`, or the inbox holds as much as it may.

        The server itself could only drop what waits there, for what comes later.
        """
        if used >= self._limits.effective.inbox:
            raise QueueFull(
                f"queue full: {used} bytes of requests wait for a coordinator; nothing was submitted. Start a "
                "coordinator, or let more wait by `picoclaw limits set size.inbox=…`, then send it again"
            )
        if fill >= self._limits.effective.admission:
            kept = self._limits.effective.requests_kept
            raise QueueFull(
                f"queue full: the log is over {self._limits.effective.admission:.0%} of its size; nothing was "
                f"submitted. Ended requests leave it after {format_duration(kept)}; to have room now, remove "
                "some by `picoclaw prune --older-than 1h`, or make it larger by `picoclaw limits set size.log=…`, "
                "then send it again"
            )

    async def submit(
        self, request: Request, *, at: float | None = None, patience: timedelta = timedelta(seconds=20)
    ) -> bool:
        """Put a request in; return False when one of its id waits there already. Sent twice is sent once.

        `check_room` comes before. `at`: server time at which it goes in, seconds since the epoch; until
        then it waits elsewhere (`later`). Raises QueueFull, UsageError for an over-large body, SwarmTimeout
        past `patience`.
        """
        packed = await pack_request(request, self._artifacts)
        level = request.priority if request.parent is None else HANDED_ON
        subject = self._names.inbox(level, request.id)
        headers = {EXPECTED_SUBJECT_SEQ: "0", **in_headers(request.trace)}
        if at is not None:
            subject = self._names.later(request.id)
            headers |= later_headers(self._names, request, at)
        loop = asyncio.get_running_loop()
        payload = packed.to_bytes()
        deadline = loop.time() + patience.total_seconds()
        while True:
            try:
                await self._wire.store(subject, payload, headers=headers, timeout=ANSWER)
                return True
            except ApiError as error:
                if error.code == WRONG_LAST_SEQUENCE:
                    return False
                if error.code in STREAM_FULL:
                    raise QueueFull(
                        "queue full: the NATS server has no room for the inbox: free disk space there, or raise its "
                        "max_file_store, then send it again"
                    ) from None
                raise SwarmError(f"the request was refused: {error}") from None
            except (SwarmTimeout, NobodyListens):
                # To send it again is harmless, whichever of the two arrives.
                if loop.time() > deadline:
                    raise SwarmTimeout(
                        f"nobody took {request.id} within {patience.total_seconds():g} s: in a cluster most of "
                        "its servers must run; check them, then send it again with the same idempotency key, which is safe"
                    ) from None
                await asyncio.sleep(_RETRY.total_seconds())

    async def waiting(self, request: str, *, patient: timedelta | None = None) -> Request | None:
        """Return the request of this id that waits in the inbox, as its stand-in if it is large.

        `patient`: how long to ask while there is no leader.
        """
        stored = await last_message(
            self._wire, self._names.requests, self._names.inbox_of(request), patient=patient
        )
        try:
            return Request.from_bytes(stored.data) if stored is not None else None
        except RecordRefused:
            return None  # whatever lies there, the coordinator will remove it

    async def used(self, *, patience: timedelta = REQUEST_TIMEOUT) -> int:
        """Return how many bytes wait in it; asks for up to `patience` while it has no leader."""
        info = await self._wire.ensure(f"STREAM.INFO.{self._names.requests}", patience=patience)
        return int(info["state"]["bytes"])

    async def ids(self) -> set[str]:
        """Return the requests that wait for a coordinator."""
        every = {"subjects_filter": self._names.wildcard("request")}
        info = await self._wire.api(f"STREAM.INFO.{self._names.requests}", every)
        return {split_log_subject(subject)[1] for subject in info["state"].get("subjects") or {}}

    async def withdraw(self, request: str) -> None:
        """Take a request out of the inbox, or off the schedule that is to put it there."""
        for subject in (self._names.later(request), self._names.inbox_of(request)):
            await self._wire.api(f"STREAM.PURGE.{self._names.requests}", {"filter": subject})

    async def sources(self) -> list[Source]:
        """Make the consumers of the inbox and return them, one per priority."""
        stream = self._names.requests
        for level in LEVELS:
            name = self._names.inbox_consumer(level)
            config: dict[str, Any] = {
                "name": name,
                "durable_name": name,
                "deliver_policy": "all",
                "ack_policy": "explicit",
                "ack_wait": int(self._ack_wait.total_seconds() * _NANOS),
                "max_deliver": -1,
                "max_ack_pending": MAX_ACK_PENDING,
                "max_waiting": MAX_WAITING,
                "filter_subject": self._names.inbox_filter(level),
            }
            await self._wire.ensure(
                f"CONSUMER.CREATE.{stream}.{name}", {"stream_name": stream, "config": config}
            )
        return [Source(stream, self._names.inbox_consumer(level), level) for level in LEVELS]
