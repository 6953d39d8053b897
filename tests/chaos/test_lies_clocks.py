"""Clocks an hour wrong on any node: what is done, when it is done, and who is dead stays the same."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.entries import Failed, Queued, Started
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.flood import all_ended, flood
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.sound import sound
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, entries, lab_on
from picoclaw.tests.support.swarm_node import ChildNode

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(90)]

HOUR = 3600.0

clocks = pytest.mark.parametrize(
    ("lead", "hands"),
    [
        pytest.param(HOUR, (-HOUR, 0.0), id="coordinator ahead", marks=pytest.mark.long),
        pytest.param(-HOUR, (HOUR, -HOUR), id="coordinator behind", marks=pytest.mark.long),
        pytest.param(0.0, (HOUR, HOUR), id="workers ahead", marks=pytest.mark.long),
    ],
)


@asynccontextmanager
async def swarm_of(
    url: str, folder: Path, lead: float, hands: tuple[float, float], **more: Any
) -> AsyncIterator[tuple[Swarm, list[ChildNode]]]:
    """A coordinator and two workers with clocks that are so many seconds ahead."""
    async with lab_on(url, folder, hid="clocks", clean=False) as lab:
        door = await lab.door()
        nodes = await asyncio.gather(
            ChildNode.start(lab, "coordinator", "lead", clock=lead),
            *(_worker(lab, f"hand-{n}", clock, **more) for n, clock in enumerate(hands)),
        )
        try:
            yield door, list(nodes)
        finally:
            for node in nodes:
                await node.kill()


async def _worker(lab: Lab, name: str, clock: float, **more: Any) -> ChildNode:
    return await ChildNode.start(lab, "worker", name, clock=clock, slots=1, **more)


@clocks
async def test_work_is_done_a_death_is_found_and_a_deadline_kept(
    start_nats: StartNats, tmp_path: Path, lead: float, hands: tuple[float, float]
) -> None:
    async with swarm_of(start_nats().url, tmp_path, lead, hands, quiet=True, pause=1.5) as (door, nodes):
        plain = await ask(door, demand="noop")
        assert (await end_of(door, plain)).head.state == "done"
        # The clocks are really wrong.
        off = {entry.kind: entry.at - time.time() for entry in await entries(door, plain, STEP)}
        assert off["queued"] == pytest.approx(lead, abs=60)
        assert min(abs(off["done"] - hand) for hand in hands) < 60

        # A deadline of two seconds is two seconds, by whatever clock.
        began = time.monotonic()
        late = await ask(door, demand="nobody-has-it", deadline=timedelta(seconds=2))
        ended = await end_of(door, late)
        assert ended.head.state == "failed"
        assert 1.5 < time.monotonic() - began < 8

        # A holder is killed: its task begins again elsewhere within seconds, and nobody else's does.
        both = await flood(door, 2)
        victim = await _a_holder(door, both)
        await next(node for node in nodes if node.name == victim).kill()
        assert await all_ended(door, [both], 30) == ["done"]
        history = await sound(door, [plain, late, both])

    again = [w.entry for w in history.log if isinstance(w.entry, Queued) and w.entry.attempt > 1]
    assert [entry.reason for entry in again] == [f"node offline: {victim}"]
    assert any(isinstance(w.entry, Failed) and w.entry.reason == "deadline" for w in history.log)


async def _a_holder(door: Swarm, request: str) -> str:
    """Wait until a task of the request runs, and return where."""
    async with asyncio.timeout(20):
        while True:
            for step in ("part-1", "part-2"):
                for entry in await entries(door, request, step):
                    if isinstance(entry, Started):
                        return entry.node
            await asyncio.sleep(0.05)
