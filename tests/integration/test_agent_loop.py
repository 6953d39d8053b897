"""An agent's task through a real swarm: a model behind `fake-llm`, real tools, the journal on a real server."""

import asyncio
import json
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.agent.budget.limits import Budget
from picoclaw.config.settings import AgentsSettings
from picoclaw.swarm.approvals.listing import list_asked
from picoclaw.swarm.cancel import cancel_request
from picoclaw.swarm.entries import Done
from picoclaw.swarm.journal import read_journal
from picoclaw.swarm.pause import read_pause
from picoclaw.swarm.prune import remove_request
from picoclaw.swarm.records import Result
from picoclaw.swarm.steps import Intent, Note, Outcome
from picoclaw.swarm.submission import Ended, Event, Progress, Said, watch
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.agents import agent, settings_for
from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.fake_llm import fake_llm
from picoclaw.tests.support.swarm import Lab, ask, end_of, entries
from picoclaw.tests.support.waiting import wait_for_async

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


async def test_watchers_see_what_is_said_and_change_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_llm({"rules": [{"times": 1, "answer": {"error": "overloaded"}}, *WRITES["rules"]]}) as llm:
        settings = settings_for(llm, monkeypatch)
        await lab.coordinator()
        await lab.worker(agent(replace(settings, llm=replace(settings.llm, retries=1))))
        swarm = await lab.door()
        request = await ask(swarm, "write and read", demand="noop")

        async def watched(until: type[Event]) -> list[Event]:
            seen: list[Event] = []
            async for event in watch(swarm, request):
                seen.append(event)
                if isinstance(event, until):
                    break
            return seen

        async with asyncio.timeout(40):
            goes, stays = await asyncio.gather(watched(Said), watched(Ended))
        assert isinstance(goes[-1], Said)
        said = "".join(event.text for event in stays if isinstance(event, Said))
        assert said == "I write.\nThe file says: hi\n"
        told = [event.message for event in stays if isinstance(event, Progress)]
        assert any("uses bash" in message for message in told)
        assert any("is overloaded" in message and "asked again in" in message for message in told)
        assert llm.billed() == 3


async def test_a_task_that_is_cancelled_in_the_midst_of_a_turn_ends_at_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {"rules": [{"answer": {"text": "never", "slow": "60s"}}]}
    with fake_llm(slow) as llm:
        await lab.coordinator()
        await lab.worker(agent(settings_for(llm, monkeypatch)))
        swarm = await lab.door()
        request = await ask(swarm, "take long", demand="noop")

        async def asked() -> bool:
            return bool(await asyncio.to_thread(llm.calls))

        await wait_for_async(asked, 20)
        await cancel_request(swarm, request, why="enough")
        ended = await end_of(swarm, request, 20)
        assert ended.head.state == "cancelled"


async def test_a_drained_worker_s_task_goes_on_elsewhere_without_a_second_turn(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = {
        "rules": [
            {"when": {"turn": 1}, "answer": {"tools": [{"bash": {"command": "echo one > a.txt"}}]}},
            {"when": {"turn": 2, "model": "."}, "times": 1, "answer": {"text": "never", "slow": "60s"}},
            {"when": {"turn": 2}, "answer": {"tools": [{"bash": {"command": "cat a.txt"}}]}},
            {"answer": "Then: ${result}"},
        ]
    }
    with fake_llm(script) as llm:
        await lab.coordinator()
        one = await lab.worker(agent(settings_for(llm, monkeypatch)), drain=timedelta(seconds=0.2))
        swarm = await lab.door()
        request = await ask(swarm, "two workers", demand="noop")

        async def asked_twice() -> bool:
            return len(await asyncio.to_thread(llm.calls)) == 2

        await wait_for_async(asked_twice, 20)
        await lab.worker(agent(settings_for(llm, monkeypatch)))
        await one.stop()
        ended = await end_of(swarm, request, 40)
        assert "Then: one" in summary_of(ended), "what the first attempt wrote is there"
        steps = await steps_of(swarm, request)
        assert steps.count("intent 3 turn") == 2
        assert steps.count("intent 1 turn") == 1


async def test_a_drained_worker_s_command_is_ended_and_its_task_goes_on_without_a_question(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    command = f"echo half > a.txt; touch {begun}; sleep 60"
    script = {
        "rules": [
            {"when": {"turn": 1}, "answer": {"tools": [{"bash": {"command": command}}]}},
            {"when": {"turn": 2}, "answer": {"text": "${result}", "tools": [{"read": {"path": "a.txt"}}]}},
            {"answer": "Then: ${result}"},
        ]
    }
    with fake_llm(script) as llm:
        settings = replace(settings_for(llm, monkeypatch), agents=AgentsSettings(sandbox="none"))
        await lab.coordinator()
        one = await lab.worker(agent(settings), drain=timedelta(seconds=0.1))
        swarm = await lab.door()
        request = await ask(swarm, "two workers", demand="noop")

        async def runs() -> bool:
            return begun.exists()

        await wait_for_async(runs, 20)
        await lab.worker(agent(settings))
        await one.stop()
        assert "half" in summary_of(await end_of(swarm, request, 40)), "what it had written is there"
        assert await list_asked(swarm, request) == []
        steps = await steps_of(swarm, request)
        assert steps.count("intent 2 tool") == 1, "it ran once"


async def test_a_spent_budget_makes_the_request_partial_and_says_so(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = {
        "rules": [
            {"when": {"tools": True}, "answer": {"tools": [{"bash": {"command": "date +%N"}}]}},
            {"answer": "So far nothing."},
        ]
    }
    with fake_llm(script) as llm:
        await lab.coordinator()
        await lab.worker(agent(settings_for(llm, monkeypatch), budget=Budget(turns=3)))
        swarm = await lab.door()
        request = await ask(swarm, "count", demand="noop")
        ended = await end_of(swarm, request, 40)
        assert ended.head.partial
        assert "So far nothing." in summary_of(ended)
        assert "(partial: this task may ask 3 turns)" in summary_of(ended)
        assert llm.billed() == 3


async def test_a_task_s_schema_makes_data_of_its_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    with fake_llm({"rules": [{"answer": {"json": {"n": 3}}}]}) as llm:
        await lab.coordinator()
        await lab.worker(agent(settings_for(llm, monkeypatch)))
        swarm = await lab.door()
        request = await ask(swarm, "count", demand="noop", input={"schema": schema})
        ended = await end_of(swarm, request, 40)
        assert ended.head.state == "done", ended.head
        (done,) = [entry for entry in await entries(swarm, request, "task") if isinstance(entry, Done)]
        assert done.result.data == {"n": 3}


async def test_a_wrong_key_and_an_unreachable_model_are_said_in_words(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = {"keys": ["sk-right"], "rules": [{"answer": "never"}]}
    with fake_llm(script) as llm:
        await lab.coordinator()
        await lab.worker(agent(settings_for(llm, monkeypatch)))
        swarm = await lab.door()
        request = await ask(swarm, "ask", demand="noop")
        ended = await end_of(swarm, request, 40)
        assert ended.head.state == "failed"
        assert "ANTHROPIC_API_KEY" in ended.head.reason


async def test_a_paused_request_s_agent_waits_without_a_slot_and_goes_on_when_it_may(
    lab: Lab, run_picoclaw: RunPicoclaw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    async def verb(*args: str) -> subprocess.CompletedProcess[str]:
        where = ("--swarm.nats.urls", lab.nats.urls[0], "--swarm.hid", str(lab.hid))
        return await asyncio.to_thread(run_picoclaw, *args, *where)

    script = {
        "rules": [
            {"when": {"user": "quick"}, "answer": "Quick."},
            {
                "when": {"turn": 1},
                "answer": {"tools": [{"bash": {"command": f"until [ -e {gate} ]; do sleep 0.1; done"}}]},
            },
            {"answer": "Done."},
        ]
    }
    with fake_llm(script) as llm:
        await lab.coordinator()
        settings = replace(settings_for(llm, monkeypatch), agents=AgentsSettings(sandbox="none"))
        await lab.worker(agent(settings), slots=1)
        swarm = await lab.door()
        request = await ask(swarm, "slow", demand="noop")

        async def uses_a_tool() -> bool:
            return "intent 2 tool" in await steps_of(swarm, request)

        await wait_for_async(uses_a_tool, 20)
        paused = await verb("pause", request, "--why", "wait for ann", "--json")
        assert json.loads(paused.stdout) == {"id": request, "state": "paused", "changed": True}
        assert "was paused already" in (await verb("pause", request)).stdout

        gate.touch()

        async def holds() -> bool:
            return (await steps_of(swarm, request))[-1] == "note paused"

        await wait_for_async(holds, 20)
        assert "Quick." in summary_of(await end_of(swarm, await ask(swarm, "quick", demand="noop"), 30))
        assert llm.billed() == 2
        shown = (await verb("get", "tasks", "--request", request, "-o", "wide")).stdout
        assert "running (paused)" in shown
        assert f": wait for ann; agents wait before their next step, `picoclaw resume {request}`" in shown
        assert "goes on" in (await verb("resume", request)).stdout
        ended = await end_of(swarm, request, 30)
        assert "Done." in summary_of(ended)
        assert "was not paused" in (await verb("resume", request)).stdout
        refused = await verb("pause", request)
        assert (refused.returncode, "was done already" in refused.stderr) == (2, True)
        await remove_request(swarm, request)
        assert await read_pause(swarm, request) is None
