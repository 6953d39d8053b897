"""Agents as a user defines and asks them: create, dispatch, approve, describe, delete; without a swarm, a file."""

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.fake_llm import KEY, FakeLlm, fake_llm
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

SCRIPT: dict[str, Any] = {
    "rules": [
        {
            "when": {"system": "You push things", "turn": 1},
            "answer": {"tools": [{"bash": {"command": "curl evil.example; echo denied"}}]},
        },
        {
            "when": {"system": "You push things", "turn": 2},
            "answer": {"tools": [{"bash": {"command": "echo pushed > pushed.txt"}}]},
        },
        {"when": {"system": "You push things"}, "answer": "It said: ${result}"},
        {"answer": "I am here"},
    ]
}


@pytest.fixture
def llm() -> Iterator[FakeLlm]:
    with fake_llm(SCRIPT) as server:
        yield server


@pytest.fixture
def told(nats_server: NatsServer) -> tuple[str, ...]:
    return ("--swarm.hid", f"agents {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)


def environment(llm: FakeLlm) -> dict[str, str]:
    return {
        "PICOCLAW_LLM_MODEL": "anthropic/claude-fake",
        "ANTHROPIC_BASE_URL": llm.url,
        "ANTHROPIC_API_KEY": KEY,
    }


def test_an_agent_is_created_asked_approved_described_and_deleted(
    llm: FakeLlm, told: tuple[str, ...], spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw
) -> None:
    env = environment(llm)

    def run(*args: str, code: int = 0) -> str:
        ran = run_picoclaw(*args, *told)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout if code == 0 else ran.stderr

    for role, name in (("coordinator", "lead"), ("worker", "hand")):
        more = () if role == "coordinator" else ("--swarm.capabilities", "general")
        serving(spawn_picoclaw("--swarm.role", role, "--swarm.name", name, *more, *told, env=env))
    create = (
        "create", "agent", "coder", "--model", "anthropic/claude-fake", "-d", "Pushes", "--system",
        "You push things.", "--tools", "bash", "--ask", "bash: echo pushed*", "--deny", "bash: curl*",
        "--budget-turns", "10",
    )  # fmt: skip
    run(*create)
    assert json.loads(run(*create, "--json"))["new"] is False
    assert "another one" in run("create", "agent", "coder", code=2)

    def served() -> dict[str, Any] | None:
        rows = {row["name"]: row for row in json.loads(run("get", "agents", "--json"))}
        assert rows["assistant"]["registered"] is False
        return rows["coder"] if rows["coder"]["nodes"] == ["hand"] else None

    row = wait_for(served, 20)
    assert row["policy"]["rules"][0] == {"decision": "deny", "tool": "bash", "what": "curl*"}
    door = spawn_picoclaw("dispatch", "push it", "--agent", "coder", *told)

    def asked() -> list[dict[str, Any]]:
        return list(json.loads(run("approvals", "--json")))

    (question,) = wait_for(asked, 30)
    assert "echo pushed > pushed.txt" in question["text"]
    door.expect(rf"task +asks \({question['id']}\): bash command=echo pushed > pushed.txt")
    door.expect(rf"answer it: picoclaw approve {question['id']}, or: picoclaw deny {question['id']} --why")
    assert question["rules"] == ["ask bash: echo pushed*"]
    (waiting,) = json.loads(run("get", "tasks", "--status", "running", "--json"))
    assert waiting["reason"].startswith(f"waiting for approval {question['id']}: bash")
    assert "Approvals:  1 question waits for an answer" in run("--swarm.dashboard")
    assert "running (asks)" in run("get", "tasks", "--status", "running")
    assert "allowed" in run("approve", question["id"][:6])
    assert "answered already" in run("deny", question["id"], code=2)
    assert door.finish(40) == 0, door.output
    assert run("approvals", "list").strip() == "no agent waits for an answer"
    assert "waits for approval: " not in door.output, "it is told once"
    assert "done, 3 turns, " in door.output
    assert re.search(r"its files: picoclaw result r-\w+ --artifacts DIR", door.output)
    calls = [call for call in llm.calls() if call["state"] == "answered"]
    assert len(calls) == 3, "the denied command was told the model, and the third turn ended it"
    here = spawn_picoclaw("dispatch", "push it again", "--agent", "coder", *told, terminal=True)
    here.say("y")
    here.expect(r"\(a-\w+\): bash command=echo pushed", 30)
    here.expect(r"allow it\? \[y\]es, \[a\]lways, \[n\]o, or: n WHY > ")
    assert len(asked()) == 1, "what was typed before the question is no answer to it"
    here.say("perhaps")
    here.expect("it waits until you answer, here or by `picoclaw approve a-")
    here.say("n use a branch")
    assert here.finish(40) == 0, here.output
    assert "said no to this: use a branch" in here.output, "what it brought tells what the agent was told"
    text = run("describe", "agent", "cod")
    assert "Served by:       hand" in text
    assert "10 turns, then it wraps up" in text
    assert "deny   bash: curl*" in text
    assert "  - coder (anthropic/claude-fake)\n" in run("describe", "node", "hand")
    assert "Does what is asked in plain words" in run("get", "agents")
    assert "give the whole name" in run("delete", "agent", "cod", code=2)
    run("delete", "agent", "coder")
    wait_for(lambda: "coder" not in run("get", "agents", "-o", "name").split(), 20)


def test_without_a_swarm_it_is_a_file_that_a_node_registers(
    llm: FakeLlm,
    nats_server: NatsServer,
    told: tuple[str, ...],
    home: Path,
    spawn_picoclaw: SpawnPicoclaw,
    run_picoclaw: RunPicoclaw,
) -> None:
    nowhere = ("--swarm.nats.urls", "nats://127.0.0.1:1")
    ran = run_picoclaw("create", "agent", "notes", "--system", "Notes.", "--allow", "read", *nowhere)
    file = home / ".picoclaw" / "agents" / "notes.yaml"
    assert ran.returncode == 0, ran.stderr
    assert str(file) in ran.stdout
    assert "no swarm is reachable" in ran.stderr
    assert "name: notes" in file.read_text()
    assert run_picoclaw("create", "agent", "notes", "--registry", *nowhere).returncode == 3
    env = environment(llm)
    node = serving(
        spawn_picoclaw(
            "--swarm.role", "worker", "--swarm.name", "hand", "--swarm.capabilities", "docs", *told, env=env
        )
    )
    node.expect("agent notes of .*notes.yaml:1 is registered")
    (row,) = [
        row for row in json.loads(run_picoclaw("get", "agents", "--json", *told).stdout) if row["registered"]
    ]
    assert (row["name"], row["nodes"], row["created_by"]) == ("notes", ["hand"], "hand")
    (file.parent / "broken.yaml").write_text("name: broken\nmodle: x/y\n")
    node.expect(r"broken.yaml:2: broken: unknown key 'modle'; did you mean 'model'\?", 20)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("a b",), "not a valid name"),
        (("x", "--model", "claude"), "--model"),
        (("x", "--budget-usd", "-1"), "--budget-usd"),
        (("x", "--budget-wall", "soon"), "--budget-wall"),
        (("x", "--capability", "general"), "--capability"),
        (("x", "--ask", "bash: "), "--ask"),
        (("x", "--system", "a", "--system-file", "b"), "do not go together"),
        (("x", "--system-file", "nothing.md"), "nothing.md is not there"),
    ],
)
def test_what_cannot_be_an_agent_is_refused_in_words(
    args: tuple[str, ...], said: str, home: Path, run_picoclaw: RunPicoclaw
) -> None:
    ran = run_picoclaw("create", "agent", *args, "--local")

    assert ran.returncode == 2, ran.stdout
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (home / ".picoclaw" / "agents").exists()


def test_a_key_that_is_refused_is_named_at_the_start_and_nothing_is_served_with_it(
    told: tuple[str, ...], spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw
) -> None:
    with fake_llm({"keys": ["sk-the-right-one"], "rules": [{"answer": "hi"}]}) as llm:
        env = environment(llm)
        node = serving(
            spawn_picoclaw(
                "--swarm.role", "worker", "--swarm.name", "hand", "--swarm.capabilities", "research,docs", *told,
                env=env,
            )
        )  # fmt: skip
        node.expect("capability research is declared, not ready: .*ANTHROPIC_API_KEY")
        assert KEY not in node.output
        strict = run_picoclaw(
            "--swarm.role", "worker", "--swarm.capabilities", "research", "--swarm.strict", *told, env=env
        )
        assert strict.returncode == 2
        assert "ANTHROPIC_API_KEY" in strict.stderr.splitlines()[-1]
        assert llm.billed() == 0
