"""kill -9 at every write of what a task has spent: its account says what was asked, and nothing stays reserved."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from picoclaw.tests.chaos.test_kill_agent import (
    HANDS,
    TABLE,
    TURNS,
    counted,
    end_of,
    model_of,
    start,
)
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fault_points import When, writes
from picoclaw.tests.support.figures import row
from picoclaw.tests.support.fleet import fleet_on
from picoclaw.tests.support.nats import StartNats

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Account:
    """A write of an account: each turn is reserved there and then settled."""

    name: str
    subject: str
    number: int


WRITTEN = (
    Account("reserved for turn 1, the request's account", ".tree.", 1),
    Account("reserved for turn 1, the day's account", ".day.", 1),
    Account("settled after turn 1, the request's account", ".tree.", 2),
    Account("settled after turn 1, the day's account", ".day.", 2),
    Account("reserved for turn 3, the request's account", ".tree.", 5),
    Account("closed at the end, the day's account", ".day.", 7),
)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("account", WRITTEN, ids=lambda one: one.name)
async def test_an_agent_killed_with_9_over_its_account_is_counted_once(
    account: Account,
    when: When,
    start_nats: StartNats,
    spawn_picoclaw: SpawnPicoclaw,
    home: Path,
    tmp_path: Path,
) -> None:
    record = tmp_path / "record"
    with model_of(record) as llm:
        async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
            await start(fleet, home, llm)
            written = writes("kv", subject=account.subject)
            point = fleet.point(written, when, fleet.kill, among=HANDS, number=account.number)
            request = await fleet.ask(demand="agent:tester")
            await point.wait_async(60)
            ended, asked = await end_of(fleet, request)
            assert ended.head.state == "done", ended.head
            total = await counted(fleet.swarm, request)
            used = record.read_text().count("used")
            row(
                TABLE,
                {
                    "killed": when,
                    "what was being written": account.name,
                    "turns billed": f"{llm.billed()} of {TURNS}",
                    "counted as maybe billed": total.maybe_billed,
                    "`bash` ran": used,
                    "a person was asked": "yes" if asked else "no",
                },
                order=(1, WRITTEN.index(account), when == "after"),
            )
            assert (llm.billed(), used, asked) == (TURNS, 1, 0)
            assert (total.turns, total.maybe_billed) == (TURNS, 0)
            await fleet.settled()
