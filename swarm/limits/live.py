"""The limits as they stand now: read, followed and changed by compare-and-set."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from ...errors import AppendRefused, RecordRefused
from ..follow import Followed
from ..foreign import warn_foreign
from ..kv import Bucket, Stored
from ..records import VERSION, version_of
from ..streams import Limits
from ..subjects import Names
from ..wire import Wire
from .record import KEY, SwarmLimits, Value, effective, with_values

log = logging.getLogger(__name__)


class LiveLimits:
    """What an operator set for the whole swarm, and what holds by it in this process."""

    def __init__(self, wire: Wire, names: Names, base: Limits) -> None:
        """`base`: what holds where nothing was set."""
        self.bucket = Bucket(wire, names.registry)
        self.base = base
        self.record = SwarmLimits()
        self.effective = base
        self.changed_at = 0.0
        """Server time of the last change."""
        self._revision = 0
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a limit was changed."""
        self._listeners.append(listener)

    def off_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)

    def take(self, followed: Followed) -> None:
        """Take a change of the record; one that cannot be read leaves all as it is."""
        if followed.seq > self._revision:
            self._take(followed.data, followed.seq, followed.at)

    def forget(self) -> None:
        """Begin anew: the bucket is another one, and its revisions count from 1 again."""
        self._revision = 0
        self._use(SwarmLimits(), 0.0)

    def _take(self, data: bytes, revision: int, at: float) -> None:
        try:
            record = SwarmLimits.from_bytes(data) if data else SwarmLimits()
        except RecordRefused as error:
            log.warning("the swarm's limits stay as they were: %s", error)
            return
        self._revision = revision
        self._use(record, at)

    def _use(self, record: SwarmLimits, at: float) -> None:
        if record == self.record:
            return
        self.record, self.changed_at = record, at
        self.effective = effective(self.base, record)
        log.info("limits of the swarm changed")
        for listener in self._listeners:
            listener()

    def _read(self, stored: Stored | None) -> SwarmLimits:
        if stored is None:
            return SwarmLimits()
        try:
            return SwarmLimits.from_bytes(stored.data)
        except RecordRefused as error:
            if version_of(stored.data) not in (None, VERSION):
                raise
            warn_foreign(log, "the place of the swarm's limits (set them anew)", error)
            return self.record

    async def read(self, *, patient: timedelta | None = None) -> SwarmLimits:
        """Return the record as it stands; raises RecordRefused for one of an unknown version.

        Where a foreign message stands in its place, what was read last still holds. `patient`: how long to ask while there is no leader.
        """
        stored, revision = await self.bucket.read(KEY, patient=patient)
        record = self._read(stored)
        if revision > self._revision:
            self._revision = revision
            self._use(record, datetime.fromisoformat(stored.time).timestamp() if stored is not None else 0.0)
        return record

    async def change(self, changes: Mapping[str, Value | None]) -> tuple[SwarmLimits, SwarmLimits]:
        """Set some limits, or unset them by None; return the record before and after.

        A foreign message in its place is replaced. Raises RecordRefused for one of an unknown version.
        """
        while True:
            stored, revision = await self.bucket.read(KEY)
            before = self._read(stored)
            after = with_values(before, changes)
            if after == before:
                return before, after
            try:
                await self.bucket.put(KEY, after.to_bytes(), expected=revision)
            except AppendRefused:
                continue  # somebody else set another one at the same moment
            return before, after
