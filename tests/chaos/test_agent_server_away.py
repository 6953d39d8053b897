"""The server is killed at a step of an agent and comes back: the agent waits, and asks and does nothing again."""

import asyncio
from pathlib import Path

import pytest

from picoclaw.tests.chaos.test_kill_agent import HANDS, TURNS, counted, end_of, model_of, start
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fault_points import Match, When, writes
from picoclaw.tests.support.fleet import fleet_on
from picoclaw.tests.support.nats import StartNats

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(180)]
AWAY = 6.0
"""Seconds: three node timeouts, and two ack waits."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("match", "number"),
    [
        pytest.param(writes("journal", entry="outcome"), 3, id="the outcome of a turn"),
        pytest.param(writes("journal", entry="intent"), 4, id="the intent of bash"),
        pytest.param(writes("kv", subject=".tree."), 2, id="the account"),
    ],
)
async def test_an_agent_outlasts_its_server(
    match: Match,
    number: int,
    when: When,
    start_nats: StartNats,
    spawn_picoclaw: SpawnPicoclaw,
    home: Path,
    tmp_path: Path,
) -> None:
    record = tmp_path / "record"
    with model_of(record) as llm:
        server = start_nats()
        async with fleet_on(server, spawn_picoclaw, home, tmp_path) as fleet:
            await start(fleet, home, llm)
            point = fleet.point(match, when, fleet.kill_server, among=HANDS, number=number)
            request = await fleet.ask(demand="agent:tester")
            await point.wait_async(60)
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(server.restart)
            ended, asked = await end_of(fleet, request)
            assert ended.head.state == "done", ended.head
            assert (llm.billed(), record.read_text().count("used"), asked) == (TURNS, 1, 0)
            total = await counted(fleet.swarm, request)
            assert (total.turns, total.maybe_billed) == (TURNS, 0)
            await fleet.settled()
