"""Janitor: removes what has had its time, and gives the streams the sizes that an operator set.

Ended requests, artifacts that nothing refers to, lanes that were empty for long, slots that nobody
holds. One process of the swarm does it, by a lease; what it removes is decided by pure functions.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from ..errors import SwarmError
from .artifact_expiry import ArtifactExpiry
from .leases import Lease
from .limits.slots import remove_orphans
from .limits.stream_limits import apply_limits
from .prune import Ending, ended_before, oldest_open, read_endings, remove_request, settled
from .swarm import Swarm

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
ROUND = timedelta(seconds=60)
SWEEP = timedelta(minutes=10)
"""Between two looks for artifacts that nothing refers to."""
DUTY = "janitor"


class EmptyLanes:
    """Remembers since when each lane has been empty."""

    def __init__(self) -> None:
        self._empty_since: dict[str, float] = {}

    def look(self, waiting: Mapping[str, int], *, now: float, kept: timedelta) -> list[str]:
        """Take how much each lane holds; return the lanes that were empty for as long as `kept`."""
        self._empty_since = {
            key: self._empty_since.get(key, now) for key, number in waiting.items() if number == 0
        }
        return sorted(key for key, since in self._empty_since.items() if now - since >= kept.total_seconds())


class Janitor:
    """The janitor's duty in one process; most of the time another process has it."""

    def __init__(self, swarm: Swarm, *, every: timedelta = ROUND, lease: timedelta = LEASE) -> None:
        self._swarm = swarm
        self._every = every
        self._lease = Lease(swarm.leases, DUTY, swarm.me.run, length=lease)
        self._pause = lease / 3
        self._lanes = EmptyLanes()
        self._artifacts = ArtifactExpiry(swarm)
        self._swept: float | None = None
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Hold the lease if it is free, and clean up while it is held; until cancelled."""
        loop = asyncio.get_running_loop()
        last = 0.0
        self._swarm.live.on_change(self._changed.set)
        try:
            while True:
                changed = self._changed.is_set()
                self._changed.clear()
                try:
                    due = changed or loop.time() - last >= self._every.total_seconds()
                    if await self._lease.hold() and due:
                        last = loop.time()
                        await self.clean()
                except SwarmError as error:
                    log.debug("the janitor waits: %s", error)
                except Exception:
                    # Whatever stands in a stream, what cannot be cleaned up never takes the node with it.
                    log.exception("the janitor broke off, and begins again: this is a defect")
                try:
                    async with asyncio.timeout(self._pause.total_seconds()):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            self._swarm.live.off_change(self._changed.set)
            if self._swarm.client.is_connected:
                await self._give_back()

    async def _give_back(self) -> None:
        try:
            await self._lease.release()
        except SwarmError as error:
            log.debug("the janitor's lease was not given back: %s", error)

    async def clean(self) -> None:
        """Remove what has had its time."""
        await apply_limits(self._swarm)
        endings = await self._remove_requests()
        await self._remove_lanes()
        await remove_orphans(self._swarm)
        now = asyncio.get_running_loop().time()
        if self._swept is None or now - self._swept >= SWEEP.total_seconds():
            # It may read the whole log.
            self._swept = now
            removed = await self._artifacts.sweep(oldest_open=oldest_open(endings))
            if removed:
                log.info("%d artifacts removed that nothing refers to", removed)

    async def _remove_requests(self) -> dict[str, Ending]:
        swarm = self._swarm
        endings = await read_endings(swarm)
        now, kept = swarm.members.server.now(), swarm.limits.requests_kept
        old = ended_before(endings, now=now, age=kept)
        for request in await settled(swarm, old) if old else ():
            await remove_request(swarm, request)
            del endings[request]
            log.info("Request removed after its time", extra={"request": request})
        return endings

    async def _remove_lanes(self) -> None:
        lanes = self._swarm.lanes
        known = {key: lane for key, lane in lanes.known.items() if lane.record.state == "open"}
        waiting = {key: await lanes.waiting(lane) for key, lane in known.items()}
        for key in self._lanes.look(
            waiting, now=asyncio.get_running_loop().time(), kept=self._swarm.limits.lane_kept
        ):
            if await lanes.close(known[key]):
                log.info("empty lane %s removed", known[key].demand)
        for key, lane in lanes.known.items():
            if lane.record.state == "closing" and key not in known:
                # Somebody began to close it and went away: finish, or find that it is in use.
                await lanes.close(lane)
