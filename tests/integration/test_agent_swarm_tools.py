"""Agents behind a fake model that share, hand work on, make agents up and run out of budget, on a real swarm."""

from typing import Any

import pytest

from picoclaw.swarm.journal import read_journal
from picoclaw.swarm.records import Limited, Result
from picoclaw.swarm.sharing.accounts import Accounts
from picoclaw.swarm.sharing.blackboard import Board
from picoclaw.swarm.sharing.spending import spent, tree_key
from picoclaw.swarm.steps import Note
from picoclaw.swarm.submission import Ended
from picoclaw.tests.support.agents import agent, settings_for
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.fake_llm import fake_llm
from picoclaw.tests.support.swarm import Lab, ask, end_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

LEADS: dict[str, Any] = {
    "rules": [
        {"when": {"system": "You only help"}, "answer": "helped"},
        {"when": {"user": "the small part"}, "answer": "part done"},
        {
            "when": {"turn": 1},
            "answer": {
                "tools": [
                    {"share": {"key": "plan", "value": {"steps": 2}}},
                    {"delegate": {"text": "the small part", "capability": "noop"}},
                    {
                        "agent_spawn": {
                            "text": "a made-up part",
                            "name": "helper",
                            "system": "You only help",
                            "tools": ["recall"],
                        }
                    },
                    {"message": {"to": "agent:nobody", "text": "are you there?"}},
                ]
            },
        },
        {"when": {"turn": 2}, "answer": {"text": "Now I look.", "tools": [{"recall": {}}]}},
        {"answer": "All there: ${result}"},
    ]
}
LOOKS_FOR_EVER: dict[str, Any] = {
    "rules": [
        {"when": {"user": "This is your last turn"}, "answer": "As far as I came: nothing found."},
        {"answer": {"text": "I look on.", "tools": [{"recall": {"key": "k${turn}"}}]}},
    ]
}


def result_of(ended: Ended) -> Result:
    assert ended.head.state == "done", ended.head
    assert isinstance(ended.result, Result)
    return ended.result


async def test_an_agent_with_one_slot_shares_delegates_and_spawns(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_llm(LEADS) as llm:
        door = await lab.door()
        await lab.coordinator()
        await lab.worker(agent(settings_for(llm, monkeypatch)), slots=1)
        request = await ask(door, "lead this", demand="noop", budget=Limited(tokens=1_000_000))
        ended = await end_of(door, request, 40)
        assert '"steps": 2' in result_of(ended).summary
        answers = [call for call in llm.calls() if call["state"] == "answered"]
        assert len(answers) == 5
    board = Board(door.wire, door.names, door.artifacts, request)
    assert await board.recall() == {"plan": {"steps": 2}}
    account, _ = await Accounts(door.wire, door.names).read(tree_key(request))
    assert len(account.requests) == 2
    assert not account.running
    assert spent(account).turns == 5


@pytest.mark.parametrize("budget", [Limited(turns=3), Limited(tokens=20_000)], ids=["turns", "tokens"])
async def test_a_spent_budget_ends_in_a_partial_result_that_says_so(
    budget: Limited, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_llm(LOOKS_FOR_EVER) as llm:
        door = await lab.door()
        await lab.coordinator()
        await lab.worker(agent(settings_for(llm, monkeypatch), tools=("recall",), max_tokens=1000))
        request = await ask(door, "look", demand="noop", budget=budget)
        ended = await end_of(door, request, 40)
        summary = result_of(ended).summary
        assert ended.head.partial
        assert f"request {request} may" in summary
        assert "As far as I came" in summary
        account, _ = await Accounts(door.wire, door.names).read(tree_key(request))
        total = spent(account)
        assert total.turns == llm.billed()
        if budget.turns is not None:
            assert total.turns == 3
        if budget.tokens is not None:
            assert total.tokens <= budget.tokens
    told = [step for step in await read_journal(door, request, "task") if isinstance(step, Note)]
    assert len(told) == 1


async def test_a_coordinators_model_is_paid_from_the_same_budget(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(step: str) -> dict[str, Any]:
        return {
            "step": step, "title": "", "demand": "research", "text": "find", "after": [], "needs": "all", "schema": "",
        }  # fmt: skip

    script: dict[str, Any] = {
        "rules": [
            {
                "when": {"system": "^You plan"},
                "answer": {"json": {"reason": "few", "tasks": [plan("one"), plan("two")]}},
            },
            {"answer": "never asked"},
        ]
    }
    with fake_llm(script) as llm:
        door = await lab.door()
        await lab.coordinator(llm=settings_for(llm, monkeypatch).llm)
        await lab.worker(executors(Runs("research")))
        request = await ask(door, "Compare two queues", budget=Limited(turns=1))
        ended = await end_of(door, request, 40)
        assert ended.head.state == "done"
        assert llm.billed() == 1
        account, _ = await Accounts(door.wire, door.names).read(tree_key(request))
        assert spent(account).turns == 1
        assert "no money is left" in str(result_of(ended).data)
