"""kill -9 at every point of an agent's journal: what was paid for again, and what was done again.

A run of six steps: a turn, a tool that may be repeated (`share`), a turn, one that may not (`bash`), a turn,
the end. Questions are counted at the fake provider, uses of `bash` in a file that its commands write.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.approvals.store import decide, list_open
from picoclaw.swarm.journal import read_journal
from picoclaw.swarm.sharing.accounts import Accounts, today
from picoclaw.swarm.sharing.spending import Sum, tree_key
from picoclaw.swarm.steps import Intent
from picoclaw.swarm.submission import Ended
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fake_llm import KEY, FakeLlm, fake_llm
from picoclaw.tests.support.fault_points import When, writes
from picoclaw.tests.support.figures import figure, row
from picoclaw.tests.support.fleet import Fleet, fleet_on
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

HANDS = ("w1", "w2")
ENDS_WITHIN = 60.0
TURNS = 3
TABLE = "the kill table: kill -9 at every step of an agent"
PROFILE = """
name: tester
model: anthropic/claude-fake
tools: [bash, share]
"""


@dataclass(frozen=True)
class Place:
    """A write to the journal: which, and what may be in flight then."""

    name: str
    entry: str
    number: int
    """The how-many-th of its kind."""
    what: str

    def repeated(self, when: When) -> int:
        """How many turns are asked again: those that were asked, and whose answer is not written."""
        return int(self.what == "turn" and self.entry == "outcome" and when == "before")

    def lost(self, when: When) -> int:
        """How many turns count as maybe billed: begun, and without an answer that is written."""
        begun = self.entry == "intent" and when == "after"
        return int(self.what == "turn" and begun) or self.repeated(when)

    def uncertain(self, when: When) -> bool:
        """Whether nobody can know if `bash` ran."""
        begun = self.entry == "intent" and when == "after"
        not_ended = self.entry == "outcome" and when == "before"
        return self.what == "bash" and (begun or not_ended)

    def used(self, when: When) -> int:
        """How often `bash` ran, where a person says to go on without it if it is uncertain."""
        return 0 if self.uncertain(when) and self.entry == "intent" else 1


STEPS = ("turn", "share", "turn", "bash", "turn")
PLACES = [
    Place("take-over", "takeover", 1, ""),
    *(
        Place(f"{entry} {number} ({what})", entry, number, what)
        for number, what in enumerate(STEPS, start=1)
        for entry in ("intent", "outcome")
    ),
]
SHORT = {("outcome 4 (bash)", "before")}
"""The one that counts both: no written turn is asked again, and who may have run `bash` asks."""


def script(record: Path) -> dict[str, Any]:
    """What the model says; each of its commands leaves a line."""
    return {
        "rules": [
            {
                "when": {"turn": 1},
                "answer": {"text": "I share.", "tools": [{"share": {"key": "k", "value": "v"}}]},
            },
            {"when": {"turn": 2}, "answer": {"tools": [{"bash": {"command": f"echo used >> {record}"}}]}},
            {"answer": "It is done."},
        ]
    }


@contextmanager
def model_of(record: Path) -> Iterator[FakeLlm]:
    record.touch()
    with fake_llm(script(record)) as llm:
        yield llm


async def start(fleet: Fleet, home: Path, llm: FakeLlm) -> None:
    """Start a coordinator and two workers that have the agent."""
    for name in HANDS:
        folder = home / f"of-{name}" / ".picoclaw" / "agents"
        folder.mkdir(parents=True)
        (folder / "tester.yaml").write_text(PROFILE, encoding="utf-8")
    fleet.begin("coordinator", "c1")
    flags = (
        "--llm.retries",
        "0",
        "--agents.sandbox",
        "none",
        "--llm.base_url",
        llm.url,
        "--llm.model",
        "anthropic/claude-fake",
    )
    for name in HANDS:
        fleet.begin("worker", name, *flags, capabilities=(), env={"ANTHROPIC_API_KEY": KEY})
    await fleet.serving("c1", *HANDS)


async def counted(swarm: Swarm, request: str) -> Sum:
    """What a request's account says was spent; nothing is left reserved in it, nor in the day's."""
    accounts = Accounts(swarm.wire, swarm.names)
    account, _ = await accounts.read(tree_key(request))
    day, _ = await accounts.read(today(time.time()))
    assert not {**account.running, **day.running}, "reserved for nobody"
    assert day.ended == account.ended, "the only request of its day"
    return account.ended


async def end_of(fleet: Fleet, request: str) -> tuple[Ended, int]:
    """Wait for the end, and go on without a step that is uncertain; return how often that was asked."""
    asked = 0
    ending = asyncio.create_task(fleet.end(request, ENDS_WITHIN))

    async def skip() -> bool:
        nonlocal asked
        for question in await list_open(fleet.swarm, request):
            await decide(fleet.swarm, question.record.id, "skip", by="test")
            asked += 1
        return ending.done()

    try:
        await wait_for_async(skip, ENDS_WITHIN)
        return await ending, asked
    finally:
        ending.cancel()


@pytest.mark.parametrize(
    ("place", "when"),
    [
        pytest.param(
            place,
            when,
            id=f"{when} {place.name}",
            marks=() if (place.name, when) in SHORT else pytest.mark.long,
        )
        for place in PLACES
        for when in ("before", "after")
    ],
)
async def test_an_agent_killed_with_9_goes_on_where_it_was(
    place: Place,
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
            point = fleet.point(
                writes("journal", entry=place.entry), when, fleet.kill, among=HANDS, number=place.number
            )
            request = await fleet.ask(demand="agent:tester")
            await point.wait_async(60)
            with figure(f"agent killed {when} {place.name}"):
                ended, asked = await end_of(fleet, request)
            assert ended.head.state == "done", ended.head
            assert ended.result is not None
            assert "It is done." in ended.result.summary
            used = record.read_text().count("used")
            total = await counted(fleet.swarm, request)
            row(
                TABLE,
                {
                    "killed": when,
                    "what was being written": place.name,
                    "turns billed": f"{llm.billed()} of {TURNS}",
                    "counted as maybe billed": total.maybe_billed,
                    "`bash` ran": used,
                    "a person was asked": "yes" if asked else "no",
                },
                order=(0, PLACES.index(place), when == "after"),
            )
            assert llm.billed() == TURNS + place.repeated(when)
            assert used == place.used(when)
            assert asked == int(place.uncertain(when))
            assert (total.turns, total.maybe_billed) == (TURNS + place.lost(when), place.lost(when))
            steps = await read_journal(fleet.swarm, request, "task")
            shares = {step.number for step in steps if isinstance(step, Intent) and step.name == "share"}
            assert len(shares) == 1, "the same use, under the same number"
            await fleet.settled()
