"""`picoclaw doctor` on policies: a rule for a tool that nobody has is said, with the one that may be meant."""

from pathlib import Path

import pytest

from picoclaw.capabilities.told import Told
from picoclaw.cli.doctor.rules import rule_rows
from picoclaw.config.settings import Settings

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def test_rules_that_fit_no_tool_are_named(tmp_path: Path) -> None:
    policy, agents = tmp_path / "policy.yaml", tmp_path / "agents"
    told = Told(settings=Settings(), home=tmp_path)
    assert rule_rows(told) == []
    policy.write_text("deny: ['bahs: curl*', 'web_*', bash, skill, mcp__x__y]\n")
    agents.mkdir()
    (agents / "coder.yaml").write_text("name: coder\npolicy: {ask: [terminal]}\n")

    meant, unknown = rule_rows(told)

    assert meant.detail == f"{policy}: `deny bahs: curl*` fits no tool, and has no effect"
    assert (meant.status, meant.fix) == ("warning", "write bash in its place")
    assert unknown.detail.startswith(f"{agents / 'coder.yaml'}:1: `ask terminal` fits no tool")
    assert unknown.fix.startswith("name one of agent_spawn, bash, ")
