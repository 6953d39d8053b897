"""Log: append with compare-and-set, and read, from the stream's leader.

An append is never in doubt (`appending`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from ..errors import RecordRefused, SwarmTimeout
from .appending import Appender
from .entries import Entry, EntryBase, read_entry
from .fold import RequestHead, TaskHead, fold_request, fold_task
from .follow import Followed, Follower
from .foreign import warn_foreign
from .kv import last_message
from .subjects import REQUEST_STEP, Names, split_log_subject
from .wire import Wire

log = logging.getLogger(__name__)


class Log:
    """The task log of one H-id."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self._wire = wire
        self._names = names
        self._appender = Appender(
            wire=wire,
            stream=names.log,
            what="log",
            full="make room by `picoclaw prune` or `picoclaw limits set size.log=…`",
            id_of=lambda data: read_entry(data).id,
            log=log,
        )

    async def append(
        self, request: str, step: str, entry: EntryBase, *, expected: int, patience: timedelta | None = None
    ) -> int:
        """Append an entry to a subject whose last sequence is `expected`; return its sequence.

        It tries again until the server answers; `patience` limits that (None: for ever). Raises
        AppendRefused when somebody else was first, SwarmTimeout past the patience, SwarmError when
        the log is full.
        """
        return await self._appender.append(
            self._names.log_of(request, step),
            entry.id,
            entry.to_bytes(),
            name=f"{request}.{step}",
            expected=expected,
            patience=patience,
        )

    async def head(self, request: str, step: str, *, patient: timedelta | None = None) -> TaskHead:
        """Return where a task stands, by the leader; the empty head when it has no entry.

        `patient`: how long to ask while there is no leader.
        """
        subject = self._names.log_of(request, step)
        stored = await last_message(self._wire, self._names.log, subject, patient=patient)
        if stored is None:
            return TaskHead()
        try:
            entry = read_entry(stored.data)
        except RecordRefused as error:
            warn_foreign(log, subject, error)
            head = TaskHead()
            async for followed in self.history(request, step):
                head = fold_task(head, decode(followed), followed.seq, followed.at)
            return head
        return fold_task(TaskHead(), entry, stored.seq, _timestamp(stored.time))

    async def request_head(self, request: str) -> RequestHead:
        """Return where a request stands, by the fold of its whole subject."""
        head = RequestHead()
        async for followed in self.history(request, REQUEST_STEP):
            head = fold_request(head, decode(followed), followed.seq, followed.at)
        return head

    async def history(self, request: str, step: str | None = None) -> AsyncIterator[Followed]:
        """Yield the messages of a request's log, or of one subject of it, up to now, in order."""
        subject = self._names.log_filter(request) if step is None else self._names.log_of(request, step)
        for followed in await snapshot(self._wire, self._names.log, subject, deliver="all"):
            yield followed

    async def index(self, step: str = REQUEST_STEP) -> list[Followed]:
        """Return every message on the subjects of one step, of all requests, without its body."""
        subject = self._names.log_of("*", step)
        return await snapshot(self._wire, self._names.log, subject, deliver="all", headers_only=True)

    async def heads(self, request: str = "*") -> dict[tuple[str, str], Followed]:
        """Return the last message of every subject of one request or of all, for display."""
        subject = self._names.log_filter(request)
        found = await snapshot(self._wire, self._names.log, subject, deliver="last_per_subject")
        return {split_log_subject(followed.subject): followed for followed in found}


def decode(followed: Followed) -> Entry | None:
    """Read an entry; None, and a warning that names it, when the message is none of ours."""
    try:
        return read_entry(followed.data)
    except RecordRefused as error:
        warn_foreign(log, followed.subject, f"{error} (sequence {followed.seq})")
        return None


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def scan(
    wire: Wire,
    stream: str,
    subject: str,
    take: Callable[[Followed], None],
    *,
    deliver: str,
    on_reset: Callable[[], None] | None = None,
    headers_only: bool = False,
    timeout: timedelta = timedelta(seconds=30),
) -> None:
    """Show `take` what stands in a stream now, one message after the other, so that none need be kept.

    `headers_only` leaves the bodies out; `on_reset`: the stream was made anew, all comes from its start.
    Raises SwarmTimeout when it cannot be read in time.
    """
    complete = asyncio.Event()
    follower = Follower(
        wire,
        stream,
        subject,
        deliver=deliver,
        on_snapshot=complete.set,
        on_reset=on_reset,
        headers_only=headers_only,
    )
    reader = asyncio.create_task(follower.run(take))
    waiter = asyncio.create_task(complete.wait())
    try:
        await asyncio.wait(
            {reader, waiter}, timeout=timeout.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        if reader.done():
            reader.result()
        if not complete.is_set():
            raise SwarmTimeout(
                f"{stream} could not be read within {timeout.total_seconds():g} s: check the NATS server; in a "
                "cluster most of its servers must run"
            )
    finally:
        for task in (reader, waiter):
            task.cancel()
        await asyncio.gather(reader, waiter, return_exceptions=True)


async def snapshot(
    wire: Wire, stream: str, subject: str, *, deliver: str, headers_only: bool = False
) -> list[Followed]:
    """Return what stands in a stream now; arguments and errors are those of `scan`."""
    found: list[Followed] = []
    await scan(
        wire, stream, subject, found.append, deliver=deliver, on_reset=found.clear, headers_only=headers_only
    )
    return found
