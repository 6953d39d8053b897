"""A review by analyzers and a model, on a real node: the analyzers' findings, and what of the model's word is true."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.agent.reviewing.executor import ModelReviewExecutor
from picoclaw.capabilities.analyzers.bandit import Bandit
from picoclaw.capabilities.analyzers.review import ReviewExecutor
from picoclaw.capabilities.repository.reference import refer
from picoclaw.config.settings import LlmSettings, Settings
from picoclaw.tests.support.fake_llm import fake_llm
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.swarm import Lab, ask, end_of, report_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

FILES = {
    "run.py": '"""Runs."""\n\nimport subprocess\n\n\ndef run(line):\n    subprocess.call(line, shell=True)\n    return 3\n'
}


async def reviewed(
    lab: Lab, folder: Path, rules: list[Any], monkeypatch: pytest.MonkeyPatch, **asked: Any
) -> dict[str, Any]:
    """Review a repository by bandit and a scripted model; return the report's data."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-fake-test")
    make_repository(folder, FILES)
    with fake_llm({"rules": rules}) as llm:
        settings = LlmSettings(
            model="anthropic/claude-opus-5", base_url=llm.url, retries=0, timeout=timedelta(seconds=10)
        )
        executor = ModelReviewExecutor(
            ReviewExecutor(analyzers=(Bandit(),)), Settings(llm=settings), share=0.3, least=timedelta()
        )
        await lab.coordinator()
        await lab.worker({"security": executor})
        swarm = await lab.door()
        referred = await refer(str(folder), swarm.artifacts)
        request = await ask(swarm, "Review", demand="security", repository=referred.repository, **asked)
        ended = await end_of(swarm, request, timeout=40)
        assert ended.head.state == "done"
        return {**report_of(ended), "markdown": ended.result.data["markdown"]}  # type: ignore[union-attr, index, call-overload]


async def test_a_model_reads_explains_and_invents_nothing(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = {
        "path": "run.py",
        "line": 7,
        "quote": "return 3",
        "severity": "low",
        "kind": "bug",
        "message": "ever 3",
    }
    word = {
        "summary": "One thing matters.",
        "explained": [
            {"id": "F1", "why": "Whoever gives the line runs anything."},
            {"id": "F77", "why": "no"},
        ],
        "seen": [true, {**true, "path": "ghost.py"}, {**true, "quote": "return 4"}],
    }
    rules = [{"turns": [{"text": "I read it.", "tools": [{"read": {"path": "run.py"}}]}, {"json": word}]}]
    report = await reviewed(lab, tmp_path / "code", rules, monkeypatch)
    by_tool = {finding["tools"][0]: finding for finding in report["findings"]}
    assert by_tool["model"]["line"] == 8
    assert "bandit" in by_tool
    model = report["model"]
    assert (model["seen"], model["dropped"]) == (1, 3)
    assert model["models"] == ["anthropic/claude-opus-5"]
    assert model["remarks"][0]["why"] == "Whoever gives the line runs anything."
    assert "3 remarks named a finding, file or line that there is not" in report["markdown"]


async def test_without_an_answer_the_analyzers_review_stands_and_says_so(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"answer": {"error": "invalid"}}]
    report = await reviewed(lab, tmp_path / "code", rules, monkeypatch)
    assert report["findings"][0]["tools"] == ["bandit"]
    assert report["model"]["not_read"]["security"]
    assert "security: not read by a model" in report["markdown"]


async def test_a_model_that_hangs_costs_the_review_no_more_than_its_own_word(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"answer": {"text": "late", "slow": {"first": "60s"}}}]
    report = await reviewed(
        lab, tmp_path / "code", rules, monkeypatch, task_timeout=timedelta(seconds=8), max_attempts=1
    )
    assert report["findings"][0]["tools"] == ["bandit"]
    assert "left of the task's 8 s" in report["model"]["not_read"]["security"]
