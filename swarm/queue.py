"""Queue: puts tasks on their lanes and takes them off again.

A task's subject never changes and each publish expects that nothing stands there, so that to
publish again is harmless (DESIGN.md section 2).
"""

import asyncio
from datetime import UTC, datetime, timedelta

from ..errors import SwarmTimeout
from .delivered import HAND_BACK
from .demand import parse_demand
from .lanes import Lanes
from .records import QueuedTask
from .subjects import EXPECTED_SUBJECT_SEQ, SCHEDULE, SCHEDULE_TARGET, Names
from .tracing.context import in_headers
from .wire import AGAIN, ANSWER, WRONG_LAST_SEQUENCE, ApiError, Wire

PATIENCE = timedelta(seconds=20)
"""How long a publish is tried while the queue has no leader; who owns the request tries again after that."""


class Queue:
    """The work queue of one H-id."""

    def __init__(self, wire: Wire, names: Names, lanes: Lanes) -> None:
        self._wire = wire
        self._names = names
        self._lanes = lanes

    async def publish(self, queued: QueuedTask) -> bool:
        """Put a task on its lane; return False when it is there, or in flight, already.

        Raises SwarmTimeout past `PATIENCE`, ApiError when the queue refuses.
        """
        key = await self._lanes.ensure(parse_demand(queued.lane or queued.task.demand), queued.priority)
        subject = self._names.task(key, queued.priority, queued.request, queued.task.step)
        payload, loop = queued.to_bytes(), asyncio.get_running_loop()
        headers = {EXPECTED_SUBJECT_SEQ: "0", **in_headers(queued.trace)}
        deadline = loop.time() + PATIENCE.total_seconds()
        while True:
            try:
                await self._wire.store(subject, payload, headers=headers, timeout=ANSWER)
                return True
            except ApiError as error:
                if error.code == WRONG_LAST_SEQUENCE:
                    return False
                raise
            except SwarmTimeout:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(AGAIN.total_seconds())

    async def schedule(self, queued: QueuedTask, *, at: float) -> None:
        """Have the server put a task on its lane at a server time (seconds since the epoch)."""
        key = await self._lanes.ensure(parse_demand(queued.lane or queued.task.demand), queued.priority)
        target = self._names.task(key, queued.priority, queued.request, queued.task.step)
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        await self._wire.store(
            self._names.delay(queued.request, queued.task.step),
            queued.to_bytes(),
            headers={SCHEDULE: f"@at {when}", SCHEDULE_TARGET: target, **in_headers(queued.trace)},
        )

    async def withdraw(self, request: str, step: str = "*") -> None:
        """Take a task, or all of a request, off the queue and off the schedule."""
        for subject in (self._names.tasks_of(request, step), self._names.delay(request, step)):
            await self._wire.api(f"STREAM.PURGE.{self._names.tasks}", {"filter": subject})

    async def hand_back(self, ack_subject: str) -> None:
        """Have a fenced holder's delivery delivered again, at once.

        Seen: 4 ms, although its ack wait was 30 s.
        """
        if ack_subject.startswith("$JS.ACK."):
            await self._wire.send(ack_subject, HAND_BACK)
