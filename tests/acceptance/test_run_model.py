"""`picoclaw run` on a swarm of its own with a model, played by fake-llm: words are planned, a review is read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fake_llm import KEY, FakeLlm, fake_llm
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
