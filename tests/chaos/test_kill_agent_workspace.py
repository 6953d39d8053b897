"""kill -9 between two tools of an agent: the second finds what the first wrote, on whatever node it goes on."""

from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.repository.reference import refer
from picoclaw.cli.result.saved_artifacts import save_artifacts
from picoclaw.swarm.resolve import resolve
from picoclaw.swarm.submission import Ended
from picoclaw.tests.chaos.test_kill_agent import HANDS, end_of, start
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fake_llm import fake_llm
from picoclaw.tests.support.fault_points import When, writes
from picoclaw.tests.support.fleet import fleet_on
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.repositories import make_repository, run_git

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

PROFILE = """
name: tester
model: anthropic/claude-fake
tools: [bash, edit]
"""
SCRIPT: dict[str, Any] = {
    "rules": [
        {
            "when": {"turn": 1},
            "answer": {"tools": [{"edit": {"path": "main.py", "old": "one", "new": "two"}}]},
        },
        {"when": {"turn": 2}, "answer": {"tools": [{"bash": {"command": "cat main.py"}}]}},
        {"answer": "It says: ${result}"},
    ]
}


@pytest.mark.long
@pytest.mark.parametrize("when", ["after", "before"])
async def test_what_was_edited_before_the_kill_is_there_after_it(
    when: When,
    start_nats: StartNats,
    spawn_picoclaw: SpawnPicoclaw,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("picoclaw.tests.chaos.test_kill_agent.PROFILE", PROFILE)
    mine = make_repository(tmp_path / "mine", {"main.py": "print('one')\n"}, git=True)
    with fake_llm(SCRIPT) as llm:
        async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
            await start(fleet, home, llm)
            repository = (await refer(str(mine), fleet.swarm.artifacts)).repository
            point = fleet.point(writes("journal", entry="outcome"), when, fleet.kill, among=HANDS, number=2)
            request = await fleet.ask(demand="agent:tester", repository=repository)
            await point.wait_async(60)
            ended, asked = await end_of(fleet, request)
            assert asked == 0
            assert "print('two')" in summary(ended)
            out = tmp_path / "out"
            await save_artifacts(fleet.swarm, await resolve(fleet.swarm, request), out)
            run_git(mine, "apply", str(out / "task" / "changes.patch"))
            assert (mine / "main.py").read_text() == "print('two')\n"


def summary(ended: Ended) -> str:
    """Return the answer of a request that went well."""
    assert ended.head.state == "done", ended.head
    assert ended.result is not None
    return ended.result.summary
