"""Members: several probes under way at once, what a new observer may believe, and when it settles a doubt."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest

from picoclaw.errors import SwarmTimeout
from picoclaw.swarm.follow import Followed
from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.membership.members import Members
from picoclaw.swarm.wire import NobodyListens, Reply
from picoclaw.tests.simulation.run import Spellings

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


class SlowWire:
    """Keeps each probe until the test answers it."""

    def __init__(self) -> None:
        self.client = self
        self.is_connected = True
        self.asked: list[asyncio.Future[Reply]] = []

    async def request(self, subject: str, *, timeout: timedelta) -> Reply:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


class Observer:
    """Run `o` of node `observer`, with a node timeout of 60 s, which hears what it is told."""

    def __init__(self) -> None:
        self.clock = 1000.0
        self.wire = SlowWire()
        self.members = Members(
            cast(Any, self.wire), cast(Any, Spellings()), me="observer", run="o",
            interval=timedelta(seconds=10), node_timeout=timedelta(seconds=60), clock=lambda: self.clock,
        )  # fmt: skip
        self.members.server.learn(self.clock)

    def hears(self, node: str, run: str, at: float, **more: object) -> None:
        self.clock = at
        facts: dict[str, Any] = {"role": "worker", "slots": 1, "started": 1.0, "born": 900.0} | more
        beat = Heartbeat(node=node, run=run, beat=int(at), interval_s=10, timeout_s=60, **facts)
        self.members.take(Followed(node, beat.to_bytes(), int(at), at, 0), live=True)

    def finds_nobody(self, node: str, *moments: float) -> None:
        for moment in moments:
            self.clock = moment
            self.members._note_absent(node)

    def dead(self) -> bool:
        return self.members.run_dead("w", "r", 0.0)


async def test_a_probe_that_times_out_late_takes_nothing_back_from_later_ones() -> None:
    seen = Observer()
    seen.hears("w", "r", 1000.0)
    probes = []
    for _ in range(3):
        probes.append(asyncio.create_task(seen.members.probe("w")))
        await asyncio.sleep(0)
    first, second, third = seen.wire.asked
    second.set_exception(NobodyListens("w"))
    await asyncio.sleep(0)
    first.set_exception(SwarmTimeout("w"))
    await asyncio.sleep(0)
    assert seen.members.absent_since("w") == 1000.0
    seen.clock += 1.0
    third.set_exception(NobodyListens("w"))
    await asyncio.gather(*probes)
    assert seen.members.status("w") == "offline"


async def test_an_answer_takes_an_absence_back() -> None:
    seen = Observer()
    seen.hears("w", "r", 1000.0)
    seen.finds_nobody("w", 1000.1)
    probe = asyncio.create_task(seen.members.probe("w"))
    await asyncio.sleep(0)
    seen.wire.asked[0].set_result(Reply(b"r", {}))
    await probe
    assert seen.members.absent_since("w") is None


async def test_a_new_observer_believes_an_absence_once_it_is_settled_and_silence_only_later() -> None:
    seen = Observer()
    seen.hears("w", "r", 1000.0)
    seen.hears("observer", "o", 1001.0)
    seen.finds_nobody("w", 1002.0, 1003.1)
    assert not seen.dead(), "two absences, but others may be on their way back"
    seen.clock = 1006.1
    assert seen.dead()
    assert not seen.members.may_declare


async def test_after_a_reconnect_only_who_was_heard_since_may_be_found_absent_early() -> None:
    seen = Observer()
    seen.hears("w", "r", 1000.0)
    seen.hears("observer", "o", 1001.0)
    seen.clock = 1010.0
    seen.members.reconnected()
    seen.hears("observer", "o", 1011.0)
    seen.finds_nobody("w", 1012.0, 1017.5)
    assert not seen.dead(), "it may not have found the server that is back"
    seen.hears("w", "r", 1018.0)
    seen.finds_nobody("w", 1019.0, 1020.5)
    assert seen.dead(), "it was here, and its connection is gone"


async def test_a_silence_is_settled_by_an_own_heartbeat_when_the_time_is_up() -> None:
    seen = Observer()
    asked: list[float] = []
    told: list[float] = []
    seen.members.on_doubt(lambda: asked.append(seen.clock))
    seen.hears("w", "r", 1000.0)
    for at in range(1000, 1060, 10):
        seen.hears("observer", "o", float(at))
    seen.members.on_change(lambda: told.append(seen.clock))
    seen.clock = 1060.5
    seen.members.sweep()
    seen.members.sweep()
    assert asked == [1060.5], "once"
    assert not seen.dead(), "these ears may have been deaf since the last own heartbeat"
    told.clear()
    seen.hears("observer", "o", 1060.6)
    assert seen.dead()
    assert told == [1060.6], "whoever waits for it is told at once"
