"""SIGSTOP of a worker between an agent's intent and its effect: what thaws does nothing that is no longer its own."""

import asyncio
from pathlib import Path

import pytest

from picoclaw.tests.chaos.test_kill_agent import HANDS, TURNS, end_of, model_of, start
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fault_points import writes
from picoclaw.tests.support.fleet import fleet_on
from picoclaw.tests.support.nats import StartNats

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(180)]


@pytest.mark.parametrize(("number", "used"), [(3, 1), (4, 0)], ids=["before a turn", "before bash"])
async def test_an_agent_frozen_over_an_intent_has_no_effect_once_it_was_taken_over(
    number: int, used: int, start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, home: Path, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    with model_of(record) as llm:
        async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
            await start(fleet, home, llm)
            point = fleet.point(
                writes("journal", entry="intent"),
                "after",
                fleet.stop,
                among=HANDS,
                number=number,
                then="pass",
            )
            request = await fleet.ask(demand="agent:tester")
            frozen = (await point.wait_async(60)).via
            ended, asked = await end_of(fleet, request)
            assert ended.head.state == "done", ended.head
            assert asked == 1 - used, "of bash nobody knew, and a person said to go on without it"
            await asyncio.to_thread(fleet.cont, frozen)
            await asyncio.to_thread(fleet.nodes[frozen].expect, "was fenced and stopped", 30)
            assert record.read_text().count("used") == used
            assert llm.billed() == TURNS
            await fleet.settled()
