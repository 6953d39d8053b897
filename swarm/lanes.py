"""Lanes: one queue per canonical demand, with a record that people can read.

The releaser makes a lane's record and consumers before its first publish; workers only bind.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, ClassVar, Literal

from ..errors import AppendRefused, PicoclawError, RecordRefused
from .demand import Demand, parse_demand
from .follow import Followed
from .foreign import warn_foreign
from .kv import Bucket
from .puller import GROUP
from .records import Record
from .subjects import Names, token
from .wire import NOT_FOUND, NOT_YET, ApiError, Wire

log = logging.getLogger(__name__)

MAX_ACK_PENDING = 100_000
MAX_WAITING = 20_000
"""Parked pulls that a consumer accepts: every worker's, each with one."""
_NANOS = 1_000_000_000
_STILL_GOING = 10012
"""A consumer of this name is just being deleted: seen as `open …/meta.inf.tmp: no such file`."""
_GOING = timedelta(seconds=3)
"""Longest time that a deletion takes; longer, and it has gone wrong."""


class LaneRecord(Record):
    """What stands in the `lanes` bucket."""

    kind_name: ClassVar[str] = "lane"
    demand: str
    priorities: tuple[int, ...] = ()
    """Levels that have a consumer; empty for lanes with a single one."""
    state: Literal["open", "closing"] = "open"
    served: bool = False
    """Some node has bound to it."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane as this process knows it."""

    key: str
    demand: Demand
    record: LaneRecord
    revision: int

    def levels(self) -> tuple[int | None, ...]:
        """Return the levels that have a consumer; None is the single one."""
        return self.record.priorities if self.demand.levels > 1 else (None,)


@lru_cache(maxsize=1024)
def lane_key(demand: Demand) -> str:
    """Return a lane's token on the wire."""
    return token(str(demand))


def level_of(demand: Demand, priority: int) -> int | None:
    """Return the consumer level of a priority in a demand's lane."""
    return priority if demand.levels > 1 else None


class Lanes:
    """The known lanes, kept current by a follower of their bucket."""

    def __init__(self, wire: Wire, names: Names, *, ack_wait: timedelta) -> None:
        self._wire = wire
        self._names = names
        self._ack_wait = ack_wait
        self.bucket = Bucket(wire, names.lanes)
        self._lanes: dict[str, Lane] = {}
        self._made: set[tuple[str, int | None]] = set()
        self._making: dict[tuple[str, int | None], asyncio.Lock] = {}
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a lane comes, changes or goes."""
        self._listeners.append(listener)

    @property
    def known(self) -> dict[str, Lane]:
        return dict(self._lanes)

    def take(self, followed: Followed) -> None:
        """Take a change of the bucket."""
        key = followed.subject.rsplit(".", 1)[1]
        known = self._lanes.get(key)
        if known is not None and followed.seq <= known.revision:
            return
        if not followed.data:
            self._forget(key)
        else:
            try:
                record = LaneRecord.from_bytes(followed.data)
                demand = parse_demand(record.demand)
            except PicoclawError as error:
                warn_foreign(log, followed.subject, error)
                return
            self._lanes[key] = Lane(key, demand, record, followed.seq)
        self._tell()

    def _forget(self, key: str) -> None:
        self._lanes.pop(key, None)
        self._made = {made for made in self._made if made[0] != key}
        self._making = {made: lock for made, lock in self._making.items() if made[0] != key or lock.locked()}

    def forget_all(self) -> None:
        """Begin anew: the bucket is another one, and its revisions count from 1 again."""
        self._lanes.clear()
        self._made.clear()
        for listener in self._listeners:
            listener()

    def forget_made(self) -> None:
        """Check every consumer again on its next use: somebody may have deleted one."""
        self._made.clear()

    async def ensure(self, demand: Demand, priority: int) -> str:
        """Make a lane's record and its consumer for this priority; return the lane's token.

        Free of charge once they are known to stand.
        """
        key, level = lane_key(demand), level_of(demand, priority)
        if self._stands(key, level):
            return key
        # Hundreds of tasks may want one lane in the same moment.
        async with self._making.setdefault((key, level), asyncio.Lock()):
            if not self._stands(key, level):
                await self._make(key, level, demand)
        return key

    def _stands(self, key: str, level: int | None) -> bool:
        lane = self._lanes.get(key)
        return (key, level) in self._made and lane is not None and lane.record.state == "open"

    async def _make(self, key: str, level: int | None, demand: Demand) -> None:
        # Consumer first: a worker that reads the record finds it.
        await self._make_consumer(key, level)
        await self._record(key, demand, level)
        # A janitor that was closing the lane may have deleted the consumer before it saw our record.
        await self._make_consumer(key, level)
        self._made.add((key, level))

    async def _record(self, key: str, demand: Demand, level: int | None) -> None:
        while True:
            stored, revision = await self.bucket.read(key)
            old = _read(stored.data, key, demand) if stored else LaneRecord(demand=str(demand))
            levels = old.priorities if level is None else tuple(sorted({*old.priorities, level}))
            new = old.model_copy(update={"priorities": levels, "state": "open"})
            if stored is not None and new == old:
                return self.remember(key, demand, new, revision)
            try:
                revision = await self.bucket.put(key, new.to_bytes(), expected=revision)
            except AppendRefused:
                continue
            return self.remember(key, demand, new, revision)

    def remember(self, key: str, demand: Demand, record: LaneRecord, revision: int) -> None:
        """Take what this process has just written or read, ahead of the follower."""
        known = self._lanes.get(key)
        if known is None or known.revision < revision:
            self._lanes[key] = Lane(key, demand, record, revision)
            # The follower will find nothing new in it, and this process may serve the lane itself.
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    async def _make_consumer(self, key: str, level: int | None) -> None:
        name = self._names.lane_consumer(key, level)
        config: dict[str, Any] = {
            "name": name,
            "durable_name": name,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": int(self._ack_wait.total_seconds() * _NANOS),
            "max_deliver": -1,
            "max_ack_pending": MAX_ACK_PENDING,
            "max_waiting": MAX_WAITING,
            "filter_subject": self._names.lane_filter(key, level),
            "priority_groups": [GROUP],
            "priority_policy": "prioritized",
        }
        create = f"CONSUMER.CREATE.{self._names.tasks}.{name}"
        body = {"stream_name": self._names.tasks, "config": config}
        try:
            await self._wire.ensure(create, body, patience=_GOING, passing=NOT_YET | {_STILL_GOING})
        except ApiError as error:
            if error.code != _STILL_GOING:
                raise
            # Made and deleted at the same moment, it can stand in the server without its folder: then nothing
            # that is asked of it succeeds any more but to delete it. What was in flight is delivered again.
            log.warning(
                "the consumer of lane %s cannot be made (%s): it is removed and made anew", key, error
            )
            await self._remove_consumer(name)
            await self._wire.ensure(create, body, patience=_GOING, passing=NOT_YET | {_STILL_GOING})

    async def _remove_consumer(self, name: str) -> None:
        try:
            await self._wire.api(f"CONSUMER.DELETE.{self._names.tasks}.{name}")
        except ApiError as error:
            if error.code not in NOT_FOUND:
                raise

    async def touch(self, lane: Lane) -> None:
        """Say that some node would serve the lane."""
        if lane.record.served:
            return
        record = lane.record.model_copy(update={"served": True})
        try:
            revision = await self.bucket.put(lane.key, record.to_bytes(), expected=lane.revision)
        except AppendRefused:
            return  # somebody else touched or closed it: the follower will tell
        self.remember(lane.key, lane.demand, record, revision)

    async def depths(self, lane: Lane) -> dict[int | None, tuple[int, int]]:
        """Return, by priority level, how many messages wait and how many are in flight.

        A level whose consumer was never made is left out.
        """
        found: dict[int | None, tuple[int, int]] = {}
        for level in lane.levels():
            name = self._names.lane_consumer(lane.key, level)
            try:
                info = await self._wire.api(f"CONSUMER.INFO.{self._names.tasks}.{name}")
            except ApiError as error:
                if error.code not in NOT_FOUND:
                    raise
                continue
            found[level] = int(info["num_pending"]), int(info["num_ack_pending"])
        return found

    async def waiting(self, lane: Lane) -> int:
        """Return how many messages the lane holds, queued and in flight."""
        return sum(map(sum, (await self.depths(lane)).values()))

    async def close(self, lane: Lane) -> bool:
        """Remove an empty lane by way of `closing`; return whether it is gone.

        Whoever wants the lane meanwhile writes its record, which makes the removal lose.
        """
        closing = lane.record.model_copy(update={"state": "closing"})
        try:
            revision = await self.bucket.put(lane.key, closing.to_bytes(), expected=lane.revision)
            if await self.waiting(lane):
                opened = closing.model_copy(update={"state": "open"})
                await self.bucket.put(lane.key, opened.to_bytes(), expected=revision)
                return False
            await self.bucket.delete(lane.key, expected=revision)
        except AppendRefused:
            return False
        self._forget(lane.key)
        for level in lane.levels():
            await self._remove_consumer(self._names.lane_consumer(lane.key, level))
        return True


def _read(data: bytes, key: str, demand: Demand) -> LaneRecord:
    """Return a lane's record; one that is none of ours counts as empty, and is written anew."""
    try:
        record = LaneRecord.from_bytes(data)
    except RecordRefused as error:
        log.warning("record of lane %s is written anew: %s", key, error)
        return LaneRecord(demand=str(demand))
    return record if record.demand == str(demand) else LaneRecord(demand=str(demand))
