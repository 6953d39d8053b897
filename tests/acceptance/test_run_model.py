"""`picoclaw run` on a swarm of its own with a model, played by fake-llm: words are planned, a review is read."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.fake_llm import KEY, FakeLlm, fake_llm
from picoclaw.tests.support.quoted import says
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

PLAN = {
    "reason": "one look is enough",
    "tasks": [
        {
            "step": "look",
            "title": "Look",
            "demand": "general",
            "text": "Look",
            "after": [],
            "needs": "all",
            "schema": "",
        }
    ],
}


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLlm]:
    rules = [
        {"when": {"system": "^You plan"}, "answer": {"json": PLAN}},
        {"when": {"tools": True}, "turns": [{"tools": [{"glob": {"pattern": "**"}}]}, "I see: ${result}"]},
    ]
    with fake_llm({"rules": rules}) as playing:
        monkeypatch.setenv("PICOCLAW_LLM_MODEL", "anthropic/fake")
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", playing.url)
        yield playing


def test_words_that_no_workflow_serves_are_planned_and_done_as_the_users_own_policy_has_it(
    spawn_picoclaw: SpawnPicoclaw, tmp_path: Path, home: Path, llm: FakeLlm
) -> None:
    folder = make_repository(tmp_path / "code", {"note.txt": "hello\n"})
    (home / ".picoclaw").mkdir(mode=0o700, exist_ok=True)
    (home / ".picoclaw" / "policy.yaml").write_text("ask: [glob]\n")
    ran = spawn_picoclaw("run", "Say what this folder holds", "--local", cwd=folder, terminal=True)
    ran.expect("agents by anthropic/fake", 30)
    ran.expect(r"look +asks \(a-\w+\): glob pattern=\*\*", 60)
    ran.expect(r"allow it\?")
    ran.say("yes")
    assert ran.finish(60) == 0
    assert "note.txt" in ran.stdout
    assert "Planned by anthropic/fake as 1 task" in ran.stdout
    assert "3 turns" in ran.output
    assert "no model was asked" not in ran.output


@pytest.mark.long
def test_an_agent_of_ones_own_changes_the_repository_and_the_change_outlives_the_swarm(
    run_picoclaw: RunPicoclaw, tmp_path: Path, home: Path, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PICOCLAW_LLM_MODEL")
    write = {"write": {"path": "note.txt", "content": "bye\n"}}
    llm.play({"rules": [{"turns": [{"tools": [write]}, "It says bye now."]}]})
    folder = make_repository(tmp_path / "code", {"note.txt": "hello\n"})
    made = run_picoclaw(
        "create", "agent", "coder", "--local", "--model", "anthropic/fake", "--deny", "bsh: rm*"
    )

    unknown = run_picoclaw("run", "Mend the note", "--agent", "codr", "--local", cwd=folder)
    ran = run_picoclaw("run", "Mend the note", "--agent", "coder", "--local", cwd=folder)

    assert "no tool is called 'bsh': what is said of it has no effect; did you mean 'bash'?" in made.stderr
    assert unknown.returncode == 2
    assert "no agent is called 'codr' on this machine; did you mean coder?" in unknown.stderr
    assert ran.returncode == 0, ran.stderr
    assert "a worker for agent coder" in ran.stderr
    apply = next(line for line in ran.stderr.splitlines() if "apply the change: " in line)
    command = apply.partition("apply the change: ")[2].split()
    assert (folder / "note.txt").read_text() == "hello\n"
    subprocess.run(command, cwd=folder, check=True)
    assert (folder / "note.txt").read_text() == "bye\n"


def test_a_model_that_cannot_be_asked_is_told_before_anything_starts(
    run_picoclaw: RunPicoclaw, tmp_path: Path, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm.play({"keys": ["sk-right"], "rules": [{"answer": "never asked"}]})

    folder = tmp_path / "empty"
    folder.mkdir()
    wrong = run_picoclaw("run", "Write me a poem", "--local", cwd=folder)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    none = run_picoclaw("run", "Write me a poem", "--local", cwd=folder)

    maker = run_picoclaw("run", "Write me a poem", "--llm.model", "qwen3", cwd=folder)
    assert says(maker.stderr, "A model's name is refused")
    assert says(wrong.stderr, "A key is not taken")
    assert says(none.stderr, "A request in words is not taken", 1)
    for ran, why in (
        (wrong, "anthropic/fake: the key in ANTHROPIC_API_KEY is not valid"),
        (none, "model anthropic/fake needs a key: set ANTHROPIC_API_KEY"),
    ):
        assert ran.returncode == 2
        assert f"'Write me a poem' needs a model, and none takes part: {why}" in ran.stderr
        assert ran.stderr.count("\n") == 1, "one line, and no word of a local swarm"
    assert not llm.calls()
