"""Worker: pulls what it can serve into its free slots, and keeps hold of it while it runs."""

import asyncio
import logging
from datetime import timedelta
from functools import partial
from pathlib import Path

from ..errors import PicoclawError
from ..swarm.background import BlockEnded
from ..swarm.delivered import Delivered
from ..swarm.demand import Offer, pull_rank, serves
from ..swarm.lanes import Lane
from ..swarm.membership.announcer import Announcer
from ..swarm.puller import Puller, Source
from ..swarm.rules import NO_EVIDENCE_DELAY
from ..swarm.subjects import split_log_subject, task_id
from ..swarm.swarm import Swarm
from .attempts import Attempts, FindExecutor
from .capped import Capped
from .jobs import Job, JobTable

log = logging.getLogger(__name__)

HAND_BACK = timedelta(seconds=8)
"""How long stopped jobs may take to end and to be handed back: however short the drain, a goodbye before
that would look like a loss and cost an attempt."""


class Worker:
    """Serves the lanes that its offer meets, one job per slot."""

    def __init__(
        self,
        swarm: Swarm,
        announcer: Announcer,
        jobs: JobTable,
        offer: Offer,
        find: FindExecutor,
        *,
        cache: Path,
        scratch: Path,
    ) -> None:
        self._swarm = swarm
        self._jobs = jobs
        self._offer = offer
        self._attempts = Attempts(swarm, announcer, jobs, find, cache=cache, scratch=scratch)
        self._draining = False
        self._puller = Puller(
            swarm.wire, free=lambda: jobs.free, take=self._take, node_timeout=swarm.nats.node_timeout
        )
        self._capped = Capped(swarm, jobs, self._served, self._puller.slot_freed)
        jobs.on_parking(self._parked, self._capped.come_back)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self._puller:
            self._swarm.lanes.on_change(self.bind)
            self._swarm.on_reconnect(self._puller.reconnected)
            self.bind()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._puller.run(), name="pull")
                group.create_task(self._extend(), name="extend")
                group.create_task(self._touch(), name="touch lanes")
                group.create_task(self._capped.run(), name="keep to the caps")

    # --- which lanes ---

    def change_offer(self, offer: Offer) -> None:
        """Serve another set of lanes from now on."""
        self._offer = offer
        self.bind()

    def bind(self) -> None:
        """Pull from the lanes that the offer meets, and from no others."""
        wanted: dict[str, Source] = {}
        for lane in self._served():
            for source in self._sources(lane):
                wanted[source.consumer] = source
        for source in self._puller.sources:
            if source.consumer not in wanted:
                self._puller.remove(source.stream, source.consumer)
        for source in wanted.values():
            self._puller.add(source)

    def _served(self) -> list[Lane]:
        lanes = self._swarm.lanes.known.values()
        return [lane for lane in lanes if serves(self._offer, lane.demand) and lane.record.state == "open"]

    def _sources(self, lane: Lane) -> list[Source]:
        names = self._swarm.names
        rank = pull_rank(self._offer, lane.demand)
        free = partial(self._capped.free, lane.demand.capabilities)
        return [
            Source(
                names.tasks, names.lane_consumer(lane.key, level), 1 if level is None else level, rank, free
            )
            for level in lane.levels()
        ]

    async def _touch(self) -> None:
        while True:
            for lane in self._swarm.lanes.known.values():
                if not lane.record.served and serves(self._offer, lane.demand):
                    try:
                        await self._swarm.lanes.touch(lane)
                    except PicoclawError as error:
                        log.debug("lane %s not touched: %s", lane.demand, error)
            await asyncio.sleep(5)

    # --- deliveries ---

    def _take(self, delivered: Delivered) -> bool:
        if self._draining or self._jobs.free <= 0:
            return False
        request, step = split_log_subject(delivered.subject)
        # Listed from here on: before `started` is written (DESIGN.md section 3, evidence).
        job = Job(task_id(request, step), delivered)
        if not self._capped.bind(delivered.subject.rsplit(".", 4)[1], job):
            return False
        self._jobs.add(job)
        try:
            self._swarm.tasks.start(self._handle(job), name=job.id)
        except BlockEnded:
            # This node is ending: the message goes back at once, not when its ack wait is over.
            self._jobs.remove(job)
            self._capped.ended(job)
            return False
        return True

    async def _handle(self, job: Job) -> None:
        try:
            if await self._capped.admit(job):
                await self._attempts.carry(job)
        except asyncio.CancelledError:
            raise
        except Exception:
            # A crash of one task never takes the node; the queue message is delivered again.
            log.exception("job of %s broke off", job.id)
            if not job.fenced:  # else the message is in somebody else's hands
                await job.delivered.nak(NO_EVIDENCE_DELAY)
        finally:
            self._jobs.remove(job)
            self._capped.ended(job)
            self._puller.slot_freed()

    def _parked(self, job: Job) -> None:
        """Offer a slot that a job gave back while it waits for what it handed on."""
        self._capped.ended(job)
        self._puller.slot_freed()

    # --- beside the jobs ---

    async def _extend(self) -> None:
        """Keep the ack wait of every job alive, from outside the job."""
        pause = self._swarm.nats.ack_wait.total_seconds() / 3
        while True:
            await asyncio.sleep(pause)
            for job in self._jobs.all():
                if not job.fenced:
                    await job.delivered.extend()

    def on_order(self, order: dict[str, object]) -> None:
        """Obey a fence: stop the job that it names. What surely stops it is the refused append."""
        task, seq = order.get("fence"), order.get("seq")
        for job in self._jobs.all():
            if job.id == task and isinstance(seq, int) and 0 < job.seq < seq:
                job.fenced = True
                job.stop()

    async def drain(self, limit: timedelta) -> None:
        """Take no more, let jobs finish within `limit`, then hand the rest back."""
        self._draining = True
        self._puller.stop()
        await self._end_jobs(limit)
        await self._capped.drain()

    async def _end_jobs(self, limit: timedelta) -> None:
        jobs = self._jobs.all()
        if not jobs:
            return
        waiting = [asyncio.ensure_future(job.ended.wait()) for job in jobs]
        _, late = await asyncio.wait(waiting, timeout=limit.total_seconds())
        for job in self._jobs.all():
            job.draining = True
            job.stop()
        if late:
            _, late = await asyncio.wait(late, timeout=HAND_BACK.total_seconds() / 2)
        if late:
            # Children whose grace is longer than that: told again, they are killed.
            for job in self._jobs.all():
                job.stop()
            await asyncio.wait(late, timeout=HAND_BACK.total_seconds() / 2)
        for future in waiting:
            future.cancel()
