"""Journal: the steps of one task's agent, written by one attempt at a time (DESIGN.md section 6).

Whoever takes the task over reads the journal and writes `takeover` over what it read last: by compare-and-set
nothing stands between the two, and whoever wrote before is refused from then on.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from pydantic_core import to_json

from ..errors import AppendRefused, JobCancelled, RecordRefused
from .appending import RETRY_PAUSE, Appender
from .artifacts import ArtifactStore
from .bodies import INLINE_LIMIT, check_size
from .follow import Followed
from .foreign import warn_foreign
from .kv import last_message
from .log import scan
from .records import read_json, version_of
from .server_time import server_time
from .steps import Intent, Outcome, Step, Takeover, read_step
from .subjects import Names
from .swarm import Swarm
from .wire import NOT_FOUND, PATIENCE, ApiError, Wire

log = logging.getLogger(__name__)

READ = timedelta(minutes=2)
"""Longest time in which one journal may be read through."""
SOON = timedelta(milliseconds=500)
"""An intent that took longer to write may be old by now: whoever was frozen meanwhile looks again before its effect."""
_FETCHES = 8
"""Bodies that are fetched at once."""


class TaskJournal:
    """The journal of one task, in the hands of one attempt; made by `take_over`."""

    def __init__(
        self, appender: Appender, names: Names, artifacts: ArtifactStore, request: str, step: str
    ) -> None:
        self._appender = appender
        self._artifacts = artifacts
        self._subject = names.journal_of(request, step)
        self._name = f"{request}.{step}"
        self._steps: list[Step] = []
        self._seq = 0
        self._age = timedelta()
        self._taken = time.monotonic()
        self._writing = asyncio.Lock()

    @property
    def steps(self) -> Sequence[Step]:
        """Every step so far, those of earlier attempts first, with their bodies unpacked."""
        return self._steps

    @property
    def age(self) -> timedelta:
        """How long ago the first attempt took the task over; no node's clock has a part in it."""
        return self._age + timedelta(seconds=time.monotonic() - self._taken)

    async def append(self, step: Step) -> None:
        """Write a step down; bodies that are too large become artifacts.

        Raises JobCancelled when a later attempt has taken the task over, UsageError for a body over 32 MiB.
        """
        packed = await _pack(step, self._artifacts)
        async with self._writing:
            begun = time.monotonic()
            try:
                self._seq = await self._write(packed, self._seq)
            except AppendRefused:
                raise self._fenced() from None
            self._steps.append(step)
            if isinstance(step, Intent) and time.monotonic() - begun > SOON.total_seconds():
                await self._look_again()

    async def _look_again(self) -> None:
        """Raise JobCancelled unless what this attempt wrote last is still the last: its effect comes next."""
        stored = await last_message(
            self._appender.wire, self._appender.stream, self._subject, patient=PATIENCE
        )
        if stored is None or stored.seq != self._seq:
            raise self._fenced()

    def _fenced(self) -> JobCancelled:
        return JobCancelled(f"{self._name} was taken over by a later attempt: this one writes nothing more")

    async def take(self, takeover: Takeover, now: Callable[[], float]) -> None:
        """Take the task over and read what earlier attempts wrote; `now` tells the server's time.

        Raises JobCancelled when a later attempt has it.
        """
        while True:
            steps, last, first_at = await _read(self._appender.wire, self._appender.stream, self._subject)
            check_fence(steps, takeover, self._name)
            try:
                self._seq = await self._write(takeover, last)
                break
            except AppendRefused:
                # Somebody who does not know yet that it is over wrote meanwhile, or the copy that was read
                # lagged behind: what is not known must not be written over.
                await asyncio.sleep(RETRY_PAUSE.total_seconds())
        if first_at is not None:
            self._age = timedelta(seconds=max(0.0, now() - first_at))
        self._taken = time.monotonic()
        self._steps = [*await _unpack(steps, self._artifacts), takeover]

    async def _write(self, step: Step, expected: int) -> int:
        return await self._appender.append(
            self._subject, step.id, step.to_bytes(), name=self._name, expected=expected
        )


def check_fence(steps: Sequence[Step], takeover: Takeover, name: str) -> None:
    """Raise JobCancelled when a later attempt, or another run with this attempt, has the journal. Pure."""
    for step in steps:
        if isinstance(step, Takeover) and (
            step.attempt > takeover.attempt or (step.attempt == takeover.attempt and step.run != takeover.run)
        ):
            raise JobCancelled(
                f"{name} was taken over by attempt {step.attempt} on {step.node}: this one writes nothing"
            )


async def take_over(swarm: Swarm, request: str, step: str, *, attempt: int) -> TaskJournal:
    """Take a task's journal over for an attempt of this run, and return it.

    Waits while the journal's stream is full. Raises JobCancelled when a later attempt has it, RecordRefused
    when a newer version wrote it, SwarmTimeout when it cannot be read.
    """
    appender = Appender(
        wire=swarm.wire,
        stream=swarm.names.journal,
        what="journal",
        full="make room by `picoclaw prune` or `picoclaw limits set size.journal=…`",
        id_of=lambda data: read_step(data).id,
        log=log,
    )
    journal = TaskJournal(appender, swarm.names, swarm.artifacts, request, step)
    if not swarm.members.server.known:
        await server_time(swarm)
    takeover = Takeover(attempt=attempt, node=swarm.me.node, run=swarm.me.run)
    await journal.take(takeover, swarm.members.server.now)
    return journal


async def read_journal(swarm: Swarm, request: str, step: str) -> list[Step]:
    """Return a task's steps as they stand, for display; large bodies stay where they are."""
    names = swarm.names
    try:
        await swarm.wire.api(f"STREAM.INFO.{names.journal}")
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return []  # a swarm whose nodes are all of an older version
    return (await _read(swarm.wire, names.journal, names.journal_of(request, step)))[0]


async def remove_journals(swarm: Swarm, request: str) -> None:
    """Remove the journals of a request's tasks."""
    try:
        await swarm.wire.api(
            f"STREAM.PURGE.{swarm.names.journal}", {"filter": swarm.names.journal_of(request)}
        )
    except ApiError as error:
        if error.code not in NOT_FOUND:  # a swarm whose nodes are all of an older version has none
            raise


async def _read(wire: Wire, stream: str, subject: str) -> tuple[list[Step], int, float | None]:
    """Return the steps on a subject, the sequence of its last message, and when its first one was stored."""
    messages: list[Followed] = []
    await scan(
        wire,
        stream,
        subject,
        messages.append,
        deliver="all",
        on_reset=messages.clear,
        timeout=READ,
    )
    steps = []
    for message in messages:
        try:
            steps.append(read_step(message.data))
        except RecordRefused as error:
            if version_of(message.data) is not None:
                # A step of a newer version: who does not know what was done must not go on.
                raise
            warn_foreign(log, subject, error)
    if not messages:
        return [], 0, None
    return steps, messages[-1].seq, messages[0].at


async def _pack(step: Step, artifacts: ArtifactStore) -> Step:
    if not isinstance(step, Outcome) or step.body is None or len(step.to_bytes()) <= INLINE_LIMIT:
        return step
    body = await asyncio.to_thread(to_json, step.body, inf_nan_mode="null")
    check_size(len(body), f"the outcome of step {step.number}")
    ref = await artifacts.put(body, media_type="application/json")
    return step.model_copy(update={"body": None, "ref": ref})


async def _unpack(steps: Sequence[Step], artifacts: ArtifactStore) -> list[Step]:
    some = asyncio.Semaphore(_FETCHES)

    async def fetch(step: Step) -> Step:
        if not isinstance(step, Outcome) or step.ref is None or step.body is not None:
            return step
        async with some:
            data = await artifacts.get(step.ref)
        body = await asyncio.to_thread(read_json, data, "the body of a step")
        return step.model_copy(update={"body": body})

    return list(await asyncio.gather(*map(fetch, steps)))
