"""Appending: a compare-and-set write to one subject of a stream, which is never in doubt.

After a time-out or a refusal the subject's last entry decides. Its id is mine: it succeeded; its sequence is
what I expected: again; else somebody else was first.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ..errors import AppendRefused, RecordRefused, SwarmError, SwarmTimeout
from .foreign import warn_foreign
from .kv import Stored, last_message, next_message
from .subjects import EXPECTED_SUBJECT_SEQ
from .wire import ANSWER, STREAM_FULL, WRONG_LAST_SEQUENCE, ApiError, NobodyListens, Wire

RETRY_PAUSE = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appender:
    """Appends to the subjects of one stream."""

    wire: Wire
    stream: str
    what: str
    """What the stream is, in words: `log`."""
    full: str
    """Said when it is full: what to do."""
    id_of: Callable[[bytes], str]
    """Reads an entry's id; raises RecordRefused for what is none."""
    log: logging.Logger

    async def append(
        self,
        subject: str,
        entry_id: str,
        payload: bytes,
        *,
        name: str,
        expected: int,
        patience: timedelta | None = None,
    ) -> int:
        """Append an entry to a subject whose last sequence is `expected`; return its sequence.

        `name` is what is written about, in words. It tries again until the server answers; `patience`
        limits that (None: for ever). Raises AppendRefused when somebody else was first, SwarmTimeout past
        the patience, SwarmError when the stream refuses it.
        """
        headers = {EXPECTED_SUBJECT_SEQ: str(expected)}
        loop = asyncio.get_running_loop()
        deadline = None if patience is None else loop.time() + patience.total_seconds()
        full_since: float | None = None
        doubtful = False
        while True:
            try:
                limit = ANSWER if patience is None else min(ANSWER, patience)
                return await self.wire.store(subject, payload, headers=headers, timeout=limit)
            except ApiError as error:
                if error.code == WRONG_LAST_SEQUENCE:
                    pass
                elif error.code in STREAM_FULL:
                    # What runs must be able to end: wait for the janitor, but say so.
                    if full_since is None:
                        full_since = loop.time()
                        self.log.error("the %s is full: %s; %s waits", self.what, self.full, subject)
                    await asyncio.sleep(RETRY_PAUSE.total_seconds())
                else:
                    raise SwarmError(f"the {self.what} refused an entry for {name}: {error}") from None
            except (SwarmTimeout, NobodyListens) as error:
                self.log.debug("append to %s is in doubt: %s", subject, error)
                doubtful = True
            if deadline is not None and loop.time() > deadline:
                raise SwarmTimeout(
                    f"no answer while writing {name} to the {self.what}: check the NATS server, then "
                    "look at the task before trying again"
                )
            settled = await self._settle(subject, entry_id, expected, doubtful=doubtful)
            if settled is not None:
                return settled

    async def _settle(self, subject: str, entry_id: str, expected: int, *, doubtful: bool) -> int | None:
        """Return my entry's sequence if it stands there, None to try again; raise when fenced."""
        try:
            stored = await last_message(self.wire, self.stream, subject, timeout=ANSWER)
            last = stored.seq if stored else 0
            follower = None
            if doubtful and last > expected:
                # What was stored expecting that sequence is the very next on its subject.
                follower = await next_message(self.wire, self.stream, subject, expected + 1, timeout=ANSWER)
        except (SwarmTimeout, ApiError):
            await asyncio.sleep(RETRY_PAUSE.total_seconds())
            return None
        if stored is not None:
            try:
                if self.id_of(stored.data) == entry_id:
                    return stored.seq
            except RecordRefused as error:
                warn_foreign(self.log, subject, error)
        if last == expected:
            return None
        raise AppendRefused(
            f"{subject} moved on to {last}, expected {expected}",
            last_seq=last,
            written=follower is not None and self._is(follower, entry_id),
        )

    def _is(self, stored: Stored, entry_id: str) -> bool:
        try:
            return self.id_of(stored.data) == entry_id
        except RecordRefused:
            return False
