"""Jobs: the table of what this run holds, from before `started` until the end is written down."""

import asyncio
from dataclasses import dataclass, field

from ..capabilities.executor import Executor
from ..swarm.delivered import Delivered
from ..swarm.records import QueuedTask, Result


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

    def stop(self) -> None:
        """End the executor's work; the slot is free when it has ended."""
        if self.execution is not None:
            self.execution.cancel()


class JobTable:
    """Every job of this run. A slot is free when its job has ended."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._jobs: set[Job] = set()

    @property
    def free(self) -> int:
        return self.slots - len(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        self._jobs.add(job)

    def remove(self, job: Job) -> None:
        self._jobs.discard(job)
        job.ended.set()

    def all(self) -> list[Job]:
        return list(self._jobs)

    def holding(self, task: str, *, besides: Job | None = None) -> list[Job]:
        """Return the jobs of one task; a redelivery may stand beside its elder."""
        return [job for job in self._jobs if job.id == task and job is not besides]

    def ids(self) -> tuple[str, ...]:
        """Return the ids for the heartbeat, each once."""
        return tuple(sorted({job.id for job in self._jobs}))
