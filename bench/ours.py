"""Ours: the real submit, inbox, coordinator, queue, worker and log, as a user's command drives them."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from picoclaw.errors import SwarmError
from picoclaw.swarm.entries import Cancelled, Dead, Done, Failed, Queued, Started
from picoclaw.swarm.records import new_id
from picoclaw.swarm.subjects import REQUEST_STEP
from picoclaw.swarm.submission import Ended, LogEvent, new_request, submit, watch
from picoclaw.swarm.swarm import Swarm

from .children import Child
from .figures import Run, Trips, burst_of
from .ours_node import template_name


@dataclass(slots=True)
class Watched:
    """What the client saw of one request."""

    seconds: float
    """From the call of `submit` to the last task's `done`."""
    to_end: float
    """From the call of `submit` to the request's own end, its report held."""
    task: float
    """First `queued` to last `done`, by the server's clock."""
    arrivals: list[float]
    began: float
    done: int
    extra: int


class Ours:
    """The client's side of ours."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm

    async def _request(self, tasks: int) -> Watched:
        began = time.perf_counter()
        request = new_request("no-op", template=template_name(tasks), sender="bench")
        await submit(self._swarm, request)
        arrivals: dict[str, float] = {}
        extra, queued_at, done_at = 0, 0.0, 0.0
        async for event in watch(self._swarm, request.id):
            match event:
                case Ended(head):
                    extra += head.state != "done" or head.partial
                case LogEvent(step, Queued(), _, at) if not queued_at and step != REQUEST_STEP:
                    queued_at = at
                case LogEvent(step, Done(), _, at) if step != REQUEST_STEP:
                    extra += step in arrivals
                    arrivals[step], done_at = time.perf_counter(), at
                case LogEvent(step, Failed() | Cancelled() | Dead()) if step != REQUEST_STEP:
                    extra += 1
        ended = time.perf_counter()
        times = list(arrivals.values())
        return Watched(
            seconds=(times[-1] if times else ended) - began,
            to_end=ended - began,
            task=done_at - queued_at,
            arrivals=times,
            began=began,
            done=len(arrivals),
            extra=extra,
        )

    async def burst(self, tasks: int) -> Run:
        """Hand in one request of `tasks` tasks and hold all results."""
        seen = await self._request(tasks)
        return burst_of(tasks, seen.began, seen.began + seen.seconds, seen.arrivals, seen.extra)

    async def trip(self, tasks: int, into: Trips) -> None:
        """Measure one request of `tasks` tasks."""
        seen = await self._request(tasks)
        if seen.done != tasks or seen.extra:
            raise RuntimeError(f"a request of {tasks} no-op tasks ended with {seen.done} done")
        into.whole.append(seen.seconds)
        into.task.append(seen.task)
        into.end.append(seen.to_end)


Spawn = Callable[[], Awaitable[Child]]


async def measure_start(swarm: Swarm, spawn: Spawn) -> tuple[Child, float]:
    """Let a task wait, start a worker, and return it with the seconds from its spawn to that task's `started`."""
    request = new_request("no-op", template=template_name(1), key=new_id(), sender="bench")
    await submit(swarm, request)
    child: Child | None = None
    spawned, started = 0.0, 0.0
    async for event in watch(swarm, request.id):
        match event:
            case LogEvent(step, Queued()) if step != REQUEST_STEP and child is None:
                spawned = time.time()
                child = await spawn()
            case LogEvent(_, Started(), _, at):
                started = at
            case Ended(head) if head.state != "done":
                raise SwarmError(f"the first task ended {head.state}: {head.reason}")
    assert child is not None
    await child.ready()
    return child, started - spawned
