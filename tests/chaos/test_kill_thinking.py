"""kill -9 of a coordinator at every step of what it asks its model: the plan, a look at it again, the report.

One task of the plan declines, so that the model is asked for another one in its place. Questions are counted at the
fake provider, by whose they are.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.entries import Planned
from picoclaw.tests.chaos.test_kill_agent import ENDS_WITHIN, PROFILE, TABLE, counted
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fake_llm import KEY, FakeLlm, fake_llm
from picoclaw.tests.support.fault_points import Match, When, writes
from picoclaw.tests.support.figures import row
from picoclaw.tests.support.fleet import Fleet, fleet_on
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.swarm import entries

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(180)]

LEADS = ("c1", "c2")
QUESTIONS = {"_plan": "planner", "_plan-2": "looker", "_join": "writer"}
"""Who asks, by the step whose journal has the question."""
HANDS_TURNS = 2
"""Of the agents, one of them declined."""


@dataclass(frozen=True)
class Place:
    """A write of a coordinator: which, and whose question is in flight then."""

    name: str
    match: Match
    step: str
    entry: str

    def repeated(self, when: When) -> bool:
        """Whether the question is asked again: it was asked, and its answer is not written."""
        return self.entry == "outcome" and when == "before"

    def lost(self, when: When) -> bool:
        """Whether the question counts as maybe billed."""
        return self.repeated(when) or (self.entry == "intent" and when == "after")


PLACES = (
    *(
        Place(f"`{step}`: {entry}", writes("journal", entry=entry, step=step), step, entry)
        for step in QUESTIONS
        for entry in ("takeover", "intent", "outcome")
    ),
    Place("`_plan`: reserved in the request's account", writes("kv", subject=".tree."), "_plan", "purse"),
    Place("`_plan`: reserved in the day's account", writes("kv", subject=".day."), "_plan", "purse"),
)


def task(step: str, demand: str, *after: str) -> dict[str, Any]:
    told = {"title": "", "text": f"find {step}", "needs": "all", "schema": ""}
    return {"step": step, "demand": demand, "after": list(after), **told}


def plan(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"json": {"reason": "few", "tasks": list(tasks)}}


INSTEAD = {**task("instead", "job"), "replaces": "bad"}
SCRIPT: dict[str, Any] = {
    "rules": [
        {
            "name": "planner",
            "when": {"system": "^You plan"},
            "answer": plan(task("good", "agent:tester"), task("bad", "agent:tester")),
        },
        {
            "name": "looker",
            "when": {"system": "^You watch over"},
            "answer": {"json": {"reason": "another way", "add": [INSTEAD], "drop": []}},
        },
        {"name": "writer", "when": {"system": "^You write the report"}, "answer": "All [task:good]."},
        {"name": "bad", "when": {"user": "find bad"}, "answer": {"text": "I will not.", "stop": "refused"}},
        {"name": "good", "answer": "It is good."},
    ]
}


async def start(fleet: Fleet, home: Path, llm: FakeLlm) -> None:
    """Start two coordinators with a model, and a worker that has the agent."""
    folder = home / "of-w1" / ".picoclaw" / "agents"
    folder.mkdir(parents=True)
    (folder / "tester.yaml").write_text(PROFILE, encoding="utf-8")
    model = ("--llm.retries", "0", "--llm.base_url", llm.url, "--llm.model", "anthropic/claude-fake")
    key = {"ANTHROPIC_API_KEY": KEY}
    for name in LEADS:
        fleet.begin("coordinator", name, *model, env=key)
    fleet.begin("worker", "w1", *model, "--agents.sandbox", "none", env=key)
    await fleet.serving(*LEADS, "w1")


def billed_by(calls: Sequence[dict[str, Any]]) -> Counter[str]:
    return Counter(call["rule"] for call in calls if call["billed"])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_a_coordinator_killed_with_9_asks_nothing_twice_that_was_answered(
    place: Place,
    when: When,
    start_nats: StartNats,
    spawn_picoclaw: SpawnPicoclaw,
    home: Path,
    tmp_path: Path,
) -> None:
    with fake_llm(SCRIPT) as llm:
        async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
            await start(fleet, home, llm)
            point = fleet.point(place.match, when, fleet.kill, among=LEADS)
            request = await fleet.ask(name="Compare two queues", demand=None, input={})
            await point.wait_async(60)
            ended = await fleet.end(request, ENDS_WITHIN)
            assert ended.head.state == "done", ended.head
            planned = [one for one in await entries(fleet.swarm, request) if isinstance(one, Planned)]
            assert [one.revision for one in planned] == [None, 2], "planned once, and changed once"
            billed = billed_by(llm.calls())
            total = await counted(fleet.swarm, request)
            row(
                TABLE,
                {
                    "killed": when,
                    "what was being written": place.name,
                    "turns billed": f"{billed.total()} of {len(QUESTIONS) + HANDS_TURNS}",
                    "counted as maybe billed": total.maybe_billed,
                    "`bash` ran": "",
                    "a person was asked": "no",
                },
                order=(2, PLACES.index(place), when == "after"),
            )
            expected = Counter({"good": 1, "bad": 1, **dict.fromkeys(QUESTIONS.values(), 1)})
            expected[QUESTIONS[place.step]] += place.repeated(when)
            assert billed == expected
            assert total.maybe_billed == place.lost(when)
            assert total.turns == len(QUESTIONS) + HANDS_TURNS + place.lost(when)
            await fleet.settled()
