"""An agent's task through a real swarm: a model behind `fake-llm`, real tools, the journal on a real server."""

from typing import Any

import pytest

from picoclaw.swarm.journal import read_journal
from picoclaw.swarm.records import Result
from picoclaw.swarm.submission import Ended
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.agents import agent, settings_for
from picoclaw.tests.support.fake_llm import fake_llm
from picoclaw.tests.support.swarm import Lab, ask, end_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

WRITES: dict[str, Any] = {
    "rules": [
        {
            "when": {"turn": 1},
            "answer": {"text": "I write.", "tools": [{"bash": {"command": "echo hi > a.txt"}}]},
        },
        {"when": {"turn": 2}, "answer": {"tools": [{"bash": {"command": "cat a.txt"}}]}},
        {"answer": "The file says: ${result}"},
    ]
}


async def steps_of(swarm: Swarm, request: str) -> list[str]:
    from picoclaw.swarm.steps import Intent, Note, Outcome

    told = []
    for step in await read_journal(swarm, request, "task"):
        match step:
            case Intent():
                told.append(f"intent {step.number} {step.what}")
            case Outcome():
                told.append(f"outcome {step.number} {step.state}")
            case Note():
                told.append(f"note {step.what}")
            case _:
                told.append(f"takeover {step.attempt}")
    return told


def summary_of(ended: Ended) -> str:
    assert ended.head.state == "done", ended.head
    assert isinstance(ended.result, Result)
    return ended.result.summary


async def test_a_task_goes_from_a_question_by_tools_to_an_answer(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_llm(WRITES) as llm:
        await lab.coordinator()
        await lab.worker(agent(settings_for(llm, monkeypatch)))
        swarm = await lab.door()
        request = await ask(swarm, "write and read", demand="noop")
        ended = await end_of(swarm, request, 40)
        assert "The file says: hi" in summary_of(ended)
        assert llm.billed() == 3
        assert await steps_of(swarm, request) == [
            "takeover 1",
            "intent 1 turn", "outcome 1 ok", "intent 2 tool", "outcome 2 ok",
            "intent 3 turn", "outcome 3 ok", "intent 4 tool", "outcome 4 ok",
            "intent 5 turn", "outcome 5 ok",
        ]  # fmt: skip
