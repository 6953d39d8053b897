"""Real processes: agents that hand work on, a budget that ends, a person's message, and what describe says."""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.fake_llm import KEY, FakeLlm, fake_llm
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

Run = Callable[..., Any]

SCRIPT: dict[str, Any] = {
    "rules": [
        {"when": {"user": "the small part"}, "answer": "part done"},
        {
            "when": {"user": "lead this", "turn": 1},
            "answer": {
                "tools": [
                    {"share": {"key": "plan", "value": [1, 2]}},
                    {"delegate": {"text": "the small part", "capability": "research"}},
                ]
            },
        },
        {"when": {"user": "as they are"}, "answer": "I heard you"},
        {"when": {"user": "This is your last turn"}, "answer": "So far nothing"},
        {
            "when": {"user": "look", "turn": 1},
            "answer": {"slow": {"first": "2s"}, "tools": [{"recall": {}}]},
        },
        {"when": {"user": "look"}, "answer": {"tools": [{"recall": {"key": "k${turn}"}}]}},
        {"answer": "All done: ${result}"},
    ]
}


@pytest.fixture
def llm() -> Iterator[FakeLlm]:
    with fake_llm(SCRIPT) as server:
        yield server


@pytest.fixture
def run(
    llm: FakeLlm, nats_server: NatsServer, spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw
) -> Run:
    """Runs verbs on a swarm of a coordinator without a model and a worker with one slot."""
    told = ("--swarm.hid", f"together {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)
    model = {
        "PICOCLAW_LLM_MODEL": "anthropic/claude-fake",
        "ANTHROPIC_BASE_URL": llm.url,
        "ANTHROPIC_API_KEY": KEY,
    }
    serving(spawn_picoclaw("--swarm.role", "coordinator", "--swarm.name", "lead", *told))
    slots = ("--swarm.capabilities", "general", "--swarm.max_concurrent", "1")
    serving(spawn_picoclaw("--swarm.role", "worker", "--swarm.name", "hand", *slots, *told, env=model))

    def verb(*args: str, code: int = 0) -> Any:
        ran = run_picoclaw(*args, *told)
        assert ran.returncode == code, ran.stdout + ran.stderr
        if code:
            return ran.stderr
        return json.loads(ran.stdout) if "--json" in args else ran.stdout

    return verb


def check_handing_on(run: Run) -> None:
    brought = run(
        "dispatch", "lead this", "-c", "research", "--budget-tokens", "500k", "--budget-turns", "20", "--json"
    )
    assert brought["state"] == "done"
    told = run("describe", "request", brought["request"], "--json")
    assert told["spent"]["turns"] == 3
    assert told["spent"]["usd"] is None
    assert told["budget"]["turns"] == 20
    assert told["shared"] == ["plan"]
    (child,) = told["handed_on"]
    assert run("describe", "request", child, "--json")["parent"] == f"{brought['request']}.task"
    shown = run("describe", "request", brought["request"])
    assert "unknown price" in shown
    assert "500,000 tokens, 20 turns; then a partial result" in shown
    assert "2 turns" in run("describe", "task", f"{brought['request']}.task")


def check_message_and_spent_budget(run: Run, llm: FakeLlm) -> None:
    before = len(llm.calls())
    sent = run("dispatch", "look around", "-c", "research", "--detach", "--json")
    wait_for(lambda: len(llm.calls()) > before or None, 20, "the agent asks its model")
    assert "is told" in run("message", f"{sent['request']}.task", "the tests stay as they are")
    wait_for(
        lambda: run("describe", "request", sent["request"], "--json")["request"]["state"] == "done" or None,
        20,
        "the agent heard",
    )
    assert "I heard you" in run("result", sent["request"])
    assert "has ended" in run("message", f"{sent['request']}.task", "too late", code=2)
    assert "is no address" in run("message", "everybody", "hello", code=2)
    brought = run("dispatch", "look around", "-c", "research", "--budget-turns", "3", "--json")
    assert (brought["state"], brought["partial"]) == ("done", True)
    assert "may ask 3 turns" in run("result", brought["request"])
    for wrong in (("--budget-usd", "-1"), ("--budget-tokens", "many"), ("--on-breach", "ask")):
        assert wrong[0] in run("dispatch", "look", *wrong, code=2)


@pytest.mark.long
def test_work_is_handed_on_messages_arrive_and_budgets_end(run: Run, llm: FakeLlm) -> None:
    check_handing_on(run)
    check_message_and_spent_budget(run, llm)
    assert run("limits", "--json")["spent_today"]["turns"] == len(llm.calls())
    assert "asked today" in run("limits")
