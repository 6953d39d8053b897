"""When a heartbeat is sent: each interval, and at once when something changed."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest

from picoclaw.swarm.membership.announcer import Announcer
from picoclaw.swarm.membership.heartbeat import Advert, Heartbeat
from picoclaw.swarm.subjects import Names
from picoclaw.swarm.wire import Wire

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


class SlowServer:
    """Takes heartbeats, each when it is let."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[Heartbeat] = asyncio.Queue()
        self.answer = asyncio.Event()

    async def store(self, subject: str, payload: bytes, **given: Mapping[str, Any]) -> int:
        self.came.put_nowait(Heartbeat.from_bytes(payload))
        await self.answer.wait()
        return 1


async def test_what_changes_while_a_heartbeat_is_under_way_is_said_at_once_after_it() -> None:
    server = SlowServer()

    async def repair() -> None:
        raise AssertionError("nothing to repair")

    announcer = Announcer(
        cast(Wire, server),
        Names("x"),
        Advert(node="a", run="r", sid="s", role="worker", slots=1),
        interval=timedelta(minutes=1),
        node_timeout=timedelta(minutes=5),
        tasks=lambda: (),
        repair=repair,
    )
    running = asyncio.create_task(announcer.run())
    announcer.again()
    assert not (await server.came.get()).draining
    announcer.drain()
    server.answer.set()
    async with asyncio.timeout(2):
        assert (await server.came.get()).draining
    running.cancel()
