"""Leases: at most one holder of a named duty, fenced by the record's revision.

No clock is compared between machines: a contender takes a lease over when the record has not moved
for the lease's length on its own monotonic clock.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ..errors import AppendRefused, RecordRefused
from .foreign import warn_foreign
from .kv import Bucket, as_json
from .records import read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """A lease's record as it was first seen at this revision."""

    revision: int
    since: float
    holder: str


class Lease:
    """One named duty."""

    def __init__(self, bucket: Bucket, name: str, holder: str, *, length: timedelta) -> None:
        self._bucket = bucket
        self._name = name
        self._holder = holder
        self._length = length.total_seconds()
        self._seen: Seen | None = None
        self._held = 0

    @property
    def held(self) -> bool:
        return self._held > 0

    async def hold(self, *, gone: Callable[[str], bool] | None = None) -> bool:
        """Take or renew the lease; return whether this holder has it. Call it at a third of its length.

        `gone` tells of another holder whether it is surely dead, so that its time need not be waited for.
        """
        now = asyncio.get_running_loop().time()
        if self._held and await self._write(self._held):
            return True
        # Refused, though held: a renewal may have been written whose answer was lost.
        stored, revision = await self._bucket.read(self._name)
        if stored is None:
            return await self._write(revision)
        holder = _holder(stored.data)
        if self._seen is None or self._seen.revision != stored.seq:
            self._seen = Seen(stored.seq, now, holder)
        over = now - self._seen.since > self._length
        if holder == self._holder or over or (gone is not None and holder and gone(holder)):
            return await self._write(stored.seq)
        return False

    async def _write(self, revision: int) -> bool:
        try:
            self._held = await self._bucket.put(
                self._name, as_json({"holder": self._holder}), expected=revision
            )
        except AppendRefused:
            self._held = 0
            self._seen = None
            return False
        return True

    async def release(self) -> None:
        """Give the lease back, if held."""
        if self._held:
            try:
                await self._bucket.delete(self._name, expected=self._held)
            except AppendRefused:
                pass  # it had passed on already
            self._held = 0


def _holder(data: bytes) -> str:
    """Return whom a record names; empty for one that is none of ours, which lasts like any other."""
    try:
        record = read_json(data, "the lease")
    except RecordRefused as error:
        warn_foreign(log, "the bucket of leases", error)
        return ""
    return str(record.get("holder", "")) if isinstance(record, dict) else ""
