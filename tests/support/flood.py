"""A flood for a test: one request of many tasks, small requests beside it, and what each took."""

import asyncio
import statistics
import time
from typing import Any

from picoclaw.roles.planning.template import Template, TemplateTask
from picoclaw.swarm.submission import new_request, submit
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.swarm import end_of
from picoclaw.tests.support.waiting import wait_for_async


async def flood(swarm: Swarm, tasks: int, *, demand: str = "noop", **options: Any) -> str:
    """Hand in one request that fans out into so many tasks, and return its id."""
    fan = Template(
        name="flood", tasks=(TemplateTask(step="part", demand=demand, for_each=tuple(range(tasks))),)
    )
    request = new_request(f"{tasks} tasks", workflow=fan.to_json(), **options)
    await submit(swarm, request)
    return request.id


async def seconds_of(swarm: Swarm, *, timeout: float = 60.0, **options: Any) -> float:
    """Hand in a request of one task, and return the seconds until it has ended well."""
    began = time.monotonic()
    request = new_request("one small thing", **{"demand": "noop", **options})
    await submit(swarm, request)
    ended = await end_of(swarm, request.id, timeout)
    assert ended.head.state == "done", ended.head
    return time.monotonic() - began


async def usual_seconds(swarm: Swarm, number: int, **options: Any) -> float:
    """The median time of small requests, one after the other."""
    return statistics.median([await seconds_of(swarm, **options) for _ in range(number)])


async def tasks_done(swarm: Swarm, request: str) -> int:
    """How many tasks of a request have at least three entries, as one that ended has."""
    body = {"subjects_filter": swarm.names.log_filter(request)}
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.log}", body)
    return sum(1 for count in (info["state"].get("subjects") or {}).values() if count >= 3)


async def under_way(swarm: Swarm, request: str, *, tasks: int = 20, timeout: float = 60.0) -> None:
    """Wait until so many tasks of a request have ended."""

    async def enough() -> bool:
        return await tasks_done(swarm, request) >= tasks

    await wait_for_async(enough, timeout, f"{tasks} tasks of {request} have ended")


async def all_ended(swarm: Swarm, requests: list[str], timeout: float) -> list[str]:
    """Wait until each request has ended, and return their states."""
    ended = await asyncio.gather(*(end_of(swarm, request, timeout) for request in requests))
    return [str(one.head.state) for one in ended]
