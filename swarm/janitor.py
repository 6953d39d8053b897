"""Janitor: removes ended requests after their time, and lanes that were empty for long.

One process of the swarm does it, by a lease; what it removes is decided by pure functions.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from ..errors import SwarmError
from .fold import RequestHead, fold_request
from .leases import Lease
from .log import decode, snapshot
from .subjects import REQUEST_STEP, split_log_subject
from .swarm import Swarm

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
ROUND = timedelta(seconds=60)
DUTY = "janitor"


def expired(requests: Mapping[str, RequestHead], *, now: float, kept: timedelta) -> list[str]:
    """Return the requests that ended longer ago than `kept`; `now` is server time."""
    return sorted(
        request
        for request, head in requests.items()
        if head.terminal and now - head.at > kept.total_seconds()
    )


class EmptyLanes:
    """Remembers since when each lane has been empty."""

    def __init__(self, kept: timedelta) -> None:
        self._kept = kept.total_seconds()
        self._empty_since: dict[str, float] = {}

    def look(self, waiting: Mapping[str, int], *, now: float) -> list[str]:
        """Take how much each lane holds; return the lanes that were empty for long enough."""
        self._empty_since = {
            key: self._empty_since.get(key, now) for key, number in waiting.items() if number == 0
        }
        return sorted(key for key, since in self._empty_since.items() if now - since >= self._kept)


class Janitor:
    """The janitor's duty in one process; most of the time another process has it."""

    def __init__(self, swarm: Swarm, *, every: timedelta = ROUND, lease: timedelta = LEASE) -> None:
        self._swarm = swarm
        self._every = every
        self._lease = Lease(swarm.leases, DUTY, swarm.me.run, length=lease)
        self._pause = lease / 3
        self._lanes = EmptyLanes(swarm.limits.lane_kept)

    async def run(self) -> None:
        """Hold the lease if it is free, and clean up while it is held; until cancelled."""
        loop = asyncio.get_running_loop()
        last = 0.0
        try:
            while True:
                try:
                    if await self._lease.hold() and loop.time() - last >= self._every.total_seconds():
                        last = loop.time()
                        await self.clean()
                except SwarmError as error:
                    log.debug("the janitor waits: %s", error)
                await asyncio.sleep(self._pause.total_seconds())
        finally:
            if self._swarm.client.is_connected:
                await self._give_back()

    async def _give_back(self) -> None:
        try:
            await self._lease.release()
        except SwarmError as error:
            log.debug("the janitor's lease was not given back: %s", error)

    async def clean(self) -> None:
        """Remove what has had its time."""
        await self._remove_requests()
        await self._remove_lanes()

    async def _remove_requests(self) -> None:
        swarm = self._swarm
        heads: dict[str, RequestHead] = {}
        own_entries = swarm.names.log_of("*", REQUEST_STEP)
        for followed in await snapshot(swarm.wire, swarm.names.log, own_entries, deliver="last_per_subject"):
            request = split_log_subject(followed.subject)[0]
            heads[request] = fold_request(RequestHead(), decode(followed), followed.seq, followed.at)
        for request in expired(heads, now=swarm.members.server.now(), kept=swarm.limits.requests_kept):
            await swarm.queue.withdraw(request)
            await swarm.wire.api(
                f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter(request)}
            )
            log.info("Request removed after its time", extra={"request": request})

    async def _remove_lanes(self) -> None:
        lanes = self._swarm.lanes
        known = {key: lane for key, lane in lanes.known.items() if lane.record.state == "open"}
        waiting = {key: await lanes.waiting(lane) for key, lane in known.items()}
        for key in self._lanes.look(waiting, now=asyncio.get_running_loop().time()):
            if await lanes.close(known[key]):
                log.info("empty lane %s removed", known[key].demand)
        for key, lane in lanes.known.items():
            if lane.record.state == "closing" and key not in known:
                # Somebody began to close it and went away: finish, or find that it is in use.
                await lanes.close(lane)
