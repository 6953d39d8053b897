"""B, the durable ceiling: bare nats-py doing the same durable log writes as our task's life.

Its burst is as lean as can be: the client is coordinator too, queues pipelined and follows the log.
Its rounds go the whole way of a request (inbox, accepted, planned, queued, task, started, done)
through a coordinator process of its own, as ours do.
"""

import asyncio
import json
import secrets
import time

from nats.aio.client import Client
from nats.aio.msg import Msg

from picoclaw.swarm.subjects import REQUEST_STEP, Names, split_log_subject

from .bare import EXPECTED, Publisher, follow, stored_at
from .durable_parts import PRIORITY, Releaser, entry
from .figures import Run, Trips, burst_of

WINDOW = 1000
"""Tasks whose `queued` entry or queue message is not acknowledged yet, at once."""


class Durable:
    """The client's side of B."""

    def __init__(self, client: Client, names: Names, lane: str) -> None:
        self._client = client
        self._names = names
        self._publisher = Publisher(client)
        self._releaser = Releaser(names, lane, self._publisher, WINDOW)
        self._request = ""
        self._done: dict[str, float] = {}
        self._extra = 0
        self._wanted = 0
        self._all = asyncio.Event()
        self._queued_at = 0.0
        self._done_at = 0.0

    async def start(self) -> None:
        await self._publisher.start()
        await follow(self._client, self._names.log_filter(), self._on_log)

    async def _on_log(self, message: Msg) -> None:
        request, step = split_log_subject(message.subject)
        kind = json.loads(message.data)["kind"]
        if request != self._request or step == REQUEST_STEP:
            return
        if kind == "queued" and not self._queued_at:
            self._queued_at = stored_at(message)
        if kind == "done":
            self._extra += step in self._done
            self._done[step] = time.perf_counter()
            if len(self._done) == self._wanted:
                self._done_at = stored_at(message)
                self._all.set()

    def _begin(self, tasks: int) -> None:
        self._request = f"r-{secrets.token_hex(8)}"
        self._done, self._extra, self._wanted, self._queued_at = {}, 0, tasks, 0.0
        self._all.clear()

    async def burst(self, tasks: int) -> Run:
        """Hand in `tasks` tasks and hold all results."""
        self._begin(tasks)
        began = time.perf_counter()
        await self._releaser.release(self._request, [f"t{number}" for number in range(tasks)])
        await self._all.wait()
        ended = time.perf_counter()
        if self._publisher.failed:
            raise RuntimeError(f"B: a write was refused: {self._publisher.failed}")
        return burst_of(tasks, began, ended, list(self._done.values()), self._extra)

    async def trip(self, tasks: int, into: Trips) -> None:
        """Measure one request of `tasks` tasks, through the coordinator."""
        self._begin(tasks)
        subject = self._names.inbox(PRIORITY, self._request)
        began = time.perf_counter()
        await self._publisher.store(subject, entry("request", tasks=tasks), _stored, {EXPECTED: "0"})
        await self._all.wait()
        into.whole.append(time.perf_counter() - began)
        into.task.append(self._done_at - self._queued_at)


async def _stored(_: int) -> None:
    return
