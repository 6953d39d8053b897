"""Skills and MCP servers in an agent's hands: a real swarm, a model behind `fake-llm`, a real server."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from picoclaw.config.settings import FilesSettings, SkillsSettings
from picoclaw.swarm.journal import read_journal
from picoclaw.swarm.records import Result
from picoclaw.swarm.steps import Outcome
from picoclaw.tests.support.agents import agent, settings_for
from picoclaw.tests.support.fake_llm import fake_llm
from picoclaw.tests.support.swarm import Lab, ask, end_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

ROGUE = Path(__file__).parents[1] / "support" / "mcp_rogue.py"
SCRIPT: dict[str, Any] = {
    "rules": [
        {"when": {"turn": 1}, "answer": {"tools": [{"skill": {"name": "sums"}}]}},
        {"when": {"turn": 2}, "answer": {"tools": [{"mcp__sums__add": {"a": 1}}]}},
        {"when": {"turn": 3}, "answer": {"tools": [{"mcp__gone__add": {"a": 1}}]}},
        {"answer": "At the end: ${result}"},
    ]
}


async def test_an_agent_loads_a_skill_and_uses_a_servers_tool(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skill = tmp_path / "skills" / "sums"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text(
        "---\nname: sums\ndescription: Adds.\nneeds: mcp:sums\n---\nUse the tool add of the server sums.\n"
    )
    servers = tmp_path / "mcp.yaml"
    servers.write_text(
        f"servers:\n  sums: {{command: [{sys.executable}, -S, {ROGUE}, fine]}}\n"
        f"  gone: {{command: [{sys.executable}, -S, {ROGUE}, leaves]}}\n"
    )
    with fake_llm(SCRIPT) as llm:
        settings = dataclasses.replace(
            settings_for(llm, monkeypatch),
            mcp=FilesSettings(path=(servers,)),
            skills=SkillsSettings(path=(tmp_path / "skills",)),
        )
        await lab.coordinator()
        await lab.worker(agent(settings, tools=("read",), skills=("sums",), mcp=("sums", "gone")))
        swarm = await lab.door()
        request = await ask(swarm, "add", demand="noop")
        ended = await end_of(swarm, request, 60)
        assert isinstance(ended.result, Result), ended.head
        assert "there is no tool 'mcp__gone__add'" in ended.result.summary
        outcomes = [
            repr(step) for step in await read_journal(swarm, request, "task") if isinstance(step, Outcome)
        ]
        told = [one for one in outcomes if "Use the tool add of the server sums." in one or "'well'" in one]
        assert len(told) == 2, outcomes
    assert not [
        child
        for child in psutil.Process().children(recursive=True)
        if "mcp_rogue" in " ".join(child.cmdline())
    ]
