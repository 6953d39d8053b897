"""What several executors do at once, counted over all workers of a test."""

import asyncio

from picoclaw.capabilities.executor import Context
from picoclaw.swarm.records import QueuedTask, Result


class Together:
    """A run of each takes a while; it counts how many there are at once, wherever they run."""

    def __init__(self, pause: float = 0.05) -> None:
        self.pause = pause
        self.active = self.most = self.ended = 0

    async def __call__(self, task: QueuedTask, context: Context) -> Result:
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.sleep(self.pause)
        finally:
            self.active -= 1
        self.ended += 1
        return Result(summary="done")
