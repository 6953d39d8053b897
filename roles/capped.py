"""Capped: keeps a worker's jobs of capped capabilities to the slots that it holds in the swarm.

It takes a slot where a lane that it may serve has work, before a pull is out there; binds it to the job
that comes; and gives back what no job came for, so that a worker without work keeps none from others.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta

from ..errors import PicoclawError, RecordRefused
from ..swarm.demand import parse_demand
from ..swarm.lanes import Lane
from ..swarm.limits.slots import Held, Slots
from ..swarm.records import QueuedTask
from ..swarm.swarm import Swarm
from .jobs import Job, JobTable

log = logging.getLogger(__name__)

TICK = timedelta(milliseconds=500)
PULLED = 0.4
"""Seconds for which an idle slot lets pulls out."""
IDLE = 1.0
"""Seconds after which an idle slot is given back: by then no pull is out for it any more."""
TURN = 3.0
"""Seconds for which a slot is used for job after job while others may wait for one."""
REST = 0.1
"""Seconds in which a worker that gave a slot back after its turn takes none."""
PROBE = 1.05
"""Seconds between two probes of those who hold all slots of a capability that is wanted here."""
AGAIN = timedelta(seconds=1)
"""After which a message comes again whose capability only its body tells, and is all in use."""


class Capped:
    """The capped lanes of one worker."""

    def __init__(
        self, swarm: Swarm, jobs: JobTable, served: Callable[[], list[Lane]], wake: Callable[[], None]
    ) -> None:
        """`served`: the lanes that this worker serves; `wake` has pulls sent out."""
        self._swarm = swarm
        self._jobs = jobs
        self._served = served
        self._wake_puller = wake
        self._changed = asyncio.Event()
        self._rest_until = 0.0
        self._probed = 0.0
        self._draining = False
        self.slots = Slots(swarm, length=swarm.nats.ack_wait, on_lost=self._lost)
        self._waiting: set[asyncio.Event] = set()
        """Jobs that wait for a slot."""
        self.slots.on_change(self._tell)
        swarm.live.on_change(self._changed.set)

    async def run(self) -> None:
        """Take and give back until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.slots.keep_alive(), name="renew slots")
            group.create_task(self.slots.end_late(), name="end jobs without a slot")
            group.create_task(self._serve(), name="take slots")

    def free(self, capabilities: tuple[str, ...]) -> int | None:
        """Return how many messages a lane with these capabilities may be asked for; None: any number."""
        return self.slots.free(capabilities, within=PULLED)

    # --- jobs ---

    def bind(self, lane: str, job: Job) -> bool:
        """Give a job that was delivered from a lane its slots; False: there is none, hand it back."""
        if not self.slots.caps:
            return True
        known = self._swarm.lanes.known.get(lane)
        return known is None or self.slots.bind(known.demand.capabilities, job)

    async def admit(self, job: Job) -> bool:
        """Take what slots a job needs beyond those of its lane; False: it went back to its lane.

        A lane of one node, or of labels, does not say what is to be done there.
        """
        if not self.slots.caps:
            return True
        try:
            wanted = wanted_by(QueuedTask.from_bytes(job.delivered.data))
        except (RecordRefused, PicoclawError):
            return True  # whoever carries it refuses it in words
        for capability in self.slots.capped(wanted):
            if not (self.slots.bind((capability,), job) or await self._wait_for(capability, job)):
                await job.delivered.nak(AGAIN)
                return False
        return True

    async def _wait_for(self, capability: str, job: Job) -> bool:
        """Take a slot for a job as soon as one comes free; return False where none did in a turn's time.

        It waits in a place of this worker, so not in the last one.
        """
        freed = asyncio.Event()
        self._waiting.add(freed)
        try:
            async with asyncio.timeout(TURN + 1):
                while True:
                    freed.clear()
                    if await self.slots.take(capability) and self.slots.bind((capability,), job):
                        return True
                    if self._jobs.free <= 0 or self._draining or job.fenced:
                        return False
                    await self._probe_holders(capability)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(freed.wait(), TICK.total_seconds())
        except TimeoutError:
            return False
        except PicoclawError as error:
            log.debug("no slot of %s: %s", capability, error)
            return False
        finally:
            self._waiting.discard(freed)

    def _tell(self) -> None:
        self._changed.set()
        for waiting in self._waiting:
            waiting.set()

    def ended(self, job: Job) -> None:
        """Take back the slots of a job that has ended."""
        self.slots.unbind(job)
        self._changed.set()

    async def come_back(self, job: Job) -> None:
        """Take the slots again that a job gave back while it waited for what it had handed on."""
        if job.queued is None or not self.slots.caps:
            return
        for capability in self.slots.capped(wanted_by(job.queued)):
            while not (job.fenced or self.slots.bind((capability,), job)):
                if not await self._wait_for(capability, job):
                    await asyncio.sleep(AGAIN.total_seconds())

    def _lost(self, user: object, capability: str) -> None:
        for job in self._jobs.all():
            if job is user:
                job.draining, job.why = (
                    True,
                    f"its slot of {capability} was lost: its node was cut off or frozen",
                )
                job.stop()

    async def drain(self) -> None:
        """Take no more, and give back what is held for no job."""
        self._draining = True
        await self.slots.give_back_idle(0.0, lambda held: False)

    # --- slots ---

    async def _serve(self) -> None:
        while True:
            self._changed.clear()
            if self.slots.caps or self.slots.holds_any:
                try:
                    await self._look()
                except PicoclawError as error:
                    log.debug("slots not looked after: %s", error)
                limit = TICK.total_seconds()
            else:
                limit = None
            try:
                async with asyncio.timeout(limit):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        await self._adopt()
        loop = asyncio.get_running_loop()
        now = loop.time()
        if await self.slots.give_back_idle(IDLE, lambda held: self._keeps(held, now)):
            self._rest_until = loop.time() + REST
        if self._draining:
            return
        for lane in self._served():
            capabilities = self.slots.capped(lane.demand.capabilities)
            if not capabilities or self._jobs.free <= 0 or loop.time() < self._rest_until:
                continue
            if self.free(capabilities) or not await self._has_work(lane):
                continue
            for capability in capabilities:  # in order, so that no two workers wait for each other
                if self.slots.idle(capability):
                    continue
                if not await self.slots.take(capability):
                    await self._probe_holders(capability)
                    break
            else:
                self._wake_puller()

    def _keeps(self, held: Held, now: float) -> bool:
        return self._jobs.free > 0 and not self._draining and now - held.taken < TURN

    async def _has_work(self, lane: Lane) -> bool:
        depths = await self._swarm.lanes.depths(lane)
        return any(waiting or flying for waiting, flying in depths.values())

    async def _adopt(self) -> None:
        """Take slots for jobs that began before their capability was capped."""
        for job in self._jobs.all():
            if job.queued is not None and job.seq and not (job.parked or job.ended.is_set()):
                for capability in self.slots.capped(wanted_by(job.queued)):
                    await self.slots.adopt(capability, job)
                    if job.ended.is_set():
                        self.ended(job)

    async def _probe_holders(self, capability: str) -> None:
        """Ask who holds what is wanted here, so that the death of one is known soon."""
        now = asyncio.get_running_loop().time()
        if now - self._probed >= PROBE:
            self._probed = now
            holders = self.slots.holders(capability) - {self._swarm.me.node}
            await self._swarm.members.probe_all(holders)


def wanted_by(queued: QueuedTask) -> tuple[str, ...]:
    """Return the capabilities that a task needs, wherever it runs. Raises PicoclawError."""
    named = parse_demand(queued.task.demand).capabilities
    extra = (queued.task.capability,) if queued.task.capability else ()
    return tuple(dict.fromkeys((*named, *extra)))
