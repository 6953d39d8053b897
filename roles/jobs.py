"""Jobs: the table of what this run holds, from before `started` until the end is written down."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from ..capabilities.executor import Executor
from ..errors import UsageError
from ..swarm.delivered import Delivered
from ..swarm.records import QueuedTask, Result

MOST_PARKED = 64
"""Jobs of one node that may wait for what they handed on, beside those in its slots."""


@dataclass(slots=True, eq=False)
class Job:
    """One queue message in this run's hands."""

    id: str
    """Task id, read from the message's subject."""
    delivered: Delivered
    queued: QueuedTask | None = None
    executor: Executor | None = None
    """What does it, as looked up before `started`; None: nothing here does."""
    seq: int = 0
    """Sequence of its `started`; 0 until that is written."""
    attempt: int = 0
    excused: int = 0
    execution: asyncio.Task[Result] | None = None
    fenced: bool = False
    """Somebody else decides on the task now: write nothing more."""
    draining: bool = False
    """It is to be handed back."""
    why: str = "drained: its node stopped"
    """Why it is handed back."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    parked: bool = False
    """It waits for work that it handed on, and has given its slot back."""
    waits: int = 0
    """How many things it waits for so, at the same time."""

    def stop(self) -> None:
        """End the executor's work; the slot is free when it has ended."""
        if self.execution is not None:
            self.execution.cancel()


@dataclass(frozen=True, slots=True)
class Slot:
    """The slot of one job, as the job itself may give it back."""

    table: "JobTable"
    job: Job

    def parked(self) -> AbstractAsyncContextManager[None]:
        """Give it back for a block; as `JobTable.parked`."""
        return self.table.parked(self.job)

    async def come_back(self) -> None:
        """Wait until the job has its slot, if it is without one."""
        await self.table.come_back(self.job)


class JobTable:
    """Every job of this run. A slot is free when its job has ended."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._jobs: set[Job] = set()
        self._coming_back: deque[asyncio.Event] = deque()
        """Parked jobs that may go on and need a slot, the longest waiting first."""
        self._parking: list[Callable[[Job], None]] = []
        self._returning: list[Callable[[Job], Awaitable[None]]] = []

    @property
    def free(self) -> int:
        """Return how many slots are free, but for those that parked jobs wait for."""
        return self._empty - len(self._coming_back)

    @property
    def _empty(self) -> int:
        return self.slots - sum(not job.parked for job in self._jobs)

    def on_parking(self, parked: Callable[[Job], None], back: Callable[[Job], Awaitable[None]]) -> None:
        """Call `parked` whenever a job gives its slot back, and wait for `back` when it has one again."""
        self._parking.append(parked)
        self._returning.append(back)

    @asynccontextmanager
    async def parked(self, job: Job) -> AsyncIterator[None]:
        """Give a job's slot back for a block in which it only waits; the block ends once it has one again.

        Without this, tasks that wait for what they handed on could hold every slot that it needs. A block
        that is cancelled ends at once: who goes on all the same calls `come_back`. Raises UsageError when
        as many wait already as one node may hold.
        """
        if not job.parked:
            self._park(job)
        job.waits += 1
        try:
            yield
        except asyncio.CancelledError:
            job.waits -= 1
            raise
        except BaseException:
            await self._waited(job)
            raise
        await self._waited(job)

    def _park(self, job: Job) -> None:
        if sum(other.parked for other in self._jobs) >= MOST_PARKED:
            raise UsageError(
                f"{MOST_PARKED} tasks of this node wait for work that they handed on: do this one here, or "
                "hand it on later"
            )
        job.parked = True
        for parked in self._parking:
            parked(job)
        self._next()

    async def _waited(self, job: Job) -> None:
        """Go on once a job waits for nothing more: what is left may need the very slot."""
        job.waits -= 1
        if not job.waits:
            await self.come_back(job)

    async def come_back(self, job: Job) -> None:
        """Wait until a parked job has a slot again; before others that are yet to begin."""
        if not job.parked:
            return
        turn = asyncio.Event()
        self._coming_back.append(turn)
        try:
            while self._empty <= 0 or self._coming_back[0] is not turn:
                turn.clear()
                await turn.wait()
            job.parked = False
        finally:
            self._coming_back.remove(turn)
            self._next()
        for back in self._returning:
            await back(job)

    def _next(self) -> None:
        """Tell the parked job that waits longest to look whether there is a slot."""
        if self._coming_back:
            self._coming_back[0].set()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        self._jobs.add(job)

    def remove(self, job: Job) -> None:
        self._jobs.discard(job)
        job.ended.set()
        self._next()

    def all(self) -> list[Job]:
        return list(self._jobs)

    def holding(self, task: str, *, besides: Job | None = None) -> list[Job]:
        """Return the jobs of one task; a redelivery may stand beside its elder."""
        return [job for job in self._jobs if job.id == task and job is not besides]

    def ids(self) -> tuple[str, ...]:
        """Return the ids for the heartbeat, each once."""
        return tuple(sorted({job.id for job in self._jobs}))
