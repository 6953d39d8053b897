"""Pauses of one job: its agent waits before its next step, without a slot, while somebody holds its request.

Who holds a request holds what was handed on below it too.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import timedelta

from ...errors import RecordRefused, UsageError
from ...swarm.follow import Followed
from ...swarm.foreign import warn_foreign
from ...swarm.held_with import held_with
from ...swarm.pause import in_words, pause_subject, read_pause
from ...swarm.records import QueuedTask
from ...swarm.swarm import Swarm
from ..jobs import Slot

log = logging.getLogger(__name__)

AGAIN = timedelta(seconds=10)
"""Between two looks that nothing called for: news may be lost with a connection."""


@dataclass(slots=True)
class JobPauses:
    """Satisfies `capabilities.agent.context.Pauses`."""

    swarm: Swarm
    queued: QueuedTask
    slot: Slot

    async def held(self) -> str:
        """Return in words who holds the request or one above it, why, and how it goes on; empty: nobody does."""
        for request in self._line:
            try:
                record = await read_pause(self.swarm, request)
            except RecordRefused as error:
                warn_foreign(log, pause_subject(self.swarm, request)[1], error)
                continue
            if record is not None:
                return f"{in_words(record)}; `picoclaw resume {request}` lets it go on"
        return ""

    async def wait(self) -> None:
        """Wait until nobody holds the request."""
        news = asyncio.Event()

        def heard(_: Followed) -> None:
            news.set()

        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.slot.parked())
            except UsageError as error:
                # So many wait already that this one keeps its slot.
                log.debug("%s is paused in its slot: %s", self.queued.id, error)
            for request in self._line:
                where = pause_subject(self.swarm, request)
                await stack.enter_async_context(self.swarm.following(*where, heard))
            while await self.held():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN.total_seconds()):
                        await news.wait()
                news.clear()

    @property
    def _line(self) -> tuple[str, ...]:
        return held_with(self.queued.request, self.queued.parent)
