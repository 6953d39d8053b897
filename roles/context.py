"""What a running job may ask of its node: progress, artifacts, a workspace, a checkout."""

import asyncio
import json
import logging
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..capabilities.executor import Artifacts
from ..errors import SwarmError
from ..swarm.records import QueuedTask, RepositoryRef
from ..swarm.swarm import Swarm
from .jobs import Slot

if TYPE_CHECKING:
    from ..swarm.journal import TaskJournal
    from .agents.approvals import JobApprovals
    from .agents.delegation import JobDelegation
    from .agents.pauses import JobPauses
    from .agents.purse import Purse
    from .agents.sharing import JobBlackboard, JobMail

log = logging.getLogger(__name__)

LONGEST_PIECE = 16_000
"""Characters of streamed text in one message."""


@dataclass(slots=True)
class JobContext:
    """The context of one attempt; satisfies `capabilities.executor.Context`, and `AgentContext`.

    What only agents use is imported when one does.
    """

    swarm: Swarm
    queued: QueuedTask
    attempt: int
    cache: Path
    """Where unpacked repositories are kept, shared by the node's jobs."""
    scratch: Path
    """Where the workspaces of this run's jobs are made."""
    slot: Slot
    _workspace: Path | None = field(default=None, init=False)
    _journal: "TaskJournal | None" = field(default=None, init=False)
    _mail: "JobMail | None" = field(default=None, init=False)
    _purse: "Purse | None" = field(default=None, init=False)

    @property
    def artifacts(self) -> Artifacts:
        return self.swarm.artifacts

    async def progress(self, message: str, *, fraction: float | None = None) -> None:
        """Tell whoever watches; may be lost, never decides anything."""
        await self._event("progress", message=message[:2000], fraction=fraction)

    async def say(self, text: str) -> None:
        """Stream a piece of an answer to whoever watches; may be lost, never decides anything."""
        for begin in range(0, len(text), LONGEST_PIECE):
            await self._event("said", text=text[begin : begin + LONGEST_PIECE])

    async def _event(self, kind: str, **said: object) -> None:
        event = {
            "v": 1,
            "kind": kind,
            "node": self.swarm.me.node,
            "attempt": self.attempt,
            **said,
            "at": time.time(),
        }
        subject = self.swarm.names.event(self.queued.request, self.queued.task.step)
        try:
            await self.swarm.wire.send(subject, json.dumps(event).encode())
        except SwarmError as error:
            log.debug("%s lost: %s", kind, error)

    async def journal(self) -> "TaskJournal":
        """Take the task's journal over for this attempt, and return it; the same one each time."""
        if self._journal is None:
            from ..swarm.journal import take_over

            self._journal = await take_over(
                self.swarm, self.queued.request, self.queued.task.step, attempt=self.attempt
            )
        return self._journal

    async def workspace(self) -> Path:
        """Return this job's own empty folder; it is removed when the job ends."""
        if self._workspace is None:
            self._workspace = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="job-", dir=self.scratch))
        return self._workspace

    async def checkout(self, repository: RepositoryRef) -> Path:
        """Return the repository's files, read-only, from the node's cache."""
        from ..capabilities.repository.checkout import checkout

        return await checkout(repository, self.swarm.artifacts, self.cache)

    @property
    def blackboard(self) -> "JobBlackboard":
        """What the tasks of this request share."""
        from .agents.sharing import JobBlackboard

        return JobBlackboard(self.swarm, self.queued)

    @property
    def mail(self) -> "JobMail":
        """Messages between agents."""
        if self._mail is None:
            from .agents.sharing import JobMail

            self._mail = JobMail(self.swarm, self.queued)
        return self._mail

    @property
    def delegation(self) -> "JobDelegation":
        """Work that an agent hands to the swarm."""
        from .agents.delegation import JobDelegation

        return JobDelegation(self.swarm, self.queued, self.slot)

    @property
    def approvals(self) -> "JobApprovals":
        """Questions that a person has to answer."""
        from .agents.approvals import JobApprovals

        return JobApprovals(self.swarm, self.queued, self.slot)

    @property
    def pauses(self) -> "JobPauses":
        """Whether somebody holds this task's request."""
        from .agents.pauses import JobPauses

        return JobPauses(self.swarm, self.queued, self.slot)

    @property
    def purse(self) -> "Purse":
        """The accounts that pay for this task."""
        if self._purse is None:
            from .agents.purse import purse_of

            self._purse = purse_of(self.swarm, self.queued, self.attempt, self.slot)
        return self._purse

    @property
    def draining(self) -> bool:
        """Whether the job is handed back because its node ends."""
        return self.slot.job.draining and not self.slot.job.fenced

    async def close(self) -> None:
        """Remove the workspace, read-only folders that a job left in it included."""
        from ..capabilities.removal import remove

        if self._workspace is not None:
            if not await asyncio.to_thread(remove, self._workspace):
                log.warning("%s could not be removed: remove it by hand", self._workspace)
            self._workspace = None
