"""Coding CLIs and budgets: what a run costs stands in the accounts, and a limit in USD is kept or refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.agent.coding.known import CLAUDE as CLAUDE_CLI
from picoclaw.capabilities.agent.coding.known import CODEX as CODEX_CLI
from picoclaw.capabilities.agent.coding.known import CodingCli
from picoclaw.capabilities.agent.coding.served import CodingExecutor
from picoclaw.capabilities.executor import Context, Readiness
from picoclaw.swarm.records import Limited, QueuedTask, Result
from picoclaw.swarm.sharing.accounts import Accounts
from picoclaw.swarm.sharing.spending import Sum, spent, tree_key
from picoclaw.swarm.submission import Ended
from picoclaw.tests.support.coding_clis import CLAUDE, CLAUDE_SPENT, CODEX, put_program
from picoclaw.tests.support.swarm import Lab, ask, end_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


@dataclass(frozen=True, slots=True)
class Serves:
    """A coding CLI as the executor of `noop`."""

    cli: CodingCli

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"noop"})

    def readiness(self, capability: str) -> Readiness:
        return Readiness(True)

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        return await CodingExecutor(self.cli).execute(task, context)


async def run(lab: Lab, cli: CodingCli, budget: Limited | None, **options: Any) -> tuple[Ended, Sum]:
    """Have the CLI do a task; return its end, and what stands in the account of its request."""
    door = await lab.door()
    await lab.coordinator()
    await lab.worker({"noop": Serves(cli)})
    request = await ask(door, "mend it", demand="noop", budget=budget, **options)
    ended = await end_of(door, request, 30)
    account, _ = await Accounts(door.wire, door.names).read(tree_key(request))
    assert not account.running
    return ended, spent(account)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    monkeypatch.setenv("PATH", f"{folder}:/usr/local/bin:/usr/bin:/bin")
    for key in ("ANTHROPIC_API_KEY", "CODEX_API_KEY"):
        monkeypatch.setenv(key, "a-key-of-a-test")
    return folder


async def test_what_it_cost_is_charged_and_it_is_told_what_is_left(lab: Lab, programs: Path) -> None:
    put_program(programs, "claude", CLAUDE, before='echo "$@" >&2')
    ended, taken = await run(lab, CLAUDE_CLI, Limited(usd=0.3))
    assert ended.head.state == "done"
    assert ended.result is not None
    assert "--max-budget-usd 0.3000" in str(ended.result)
    assert (taken.usd, taken.turns, taken.unpriced, taken.maybe_billed) == (0.0079825, 1, 0, 0)
    assert taken.tokens == 15638 + 6


async def test_it_is_never_given_more_than_others_may_need(lab: Lab, programs: Path) -> None:
    put_program(programs, "claude", CLAUDE, before='echo "$@" >&2')
    ended, _ = await run(lab, CLAUDE_CLI, Limited(usd=100))
    assert "--max-budget-usd 5.0000" in str(ended.result)


async def test_at_its_limit_it_ends_partial_with_what_it_did(lab: Lab, programs: Path) -> None:
    put_program(programs, "claude", CLAUDE_SPENT, before="echo half > work.txt", code=1)
    ended, taken = await run(lab, CLAUDE_CLI, Limited(usd=0.25))
    assert (ended.head.state, ended.head.partial) == ("done", True)
    assert "Reached maximum budget ($0.25)" in str(ended.result)
    assert taken.usd == 0.2519


async def test_without_a_limit_no_price_is_unknown_and_not_zero(lab: Lab, programs: Path) -> None:
    put_program(programs, "codex", CODEX)
    ended, taken = await run(lab, CODEX_CLI, None)
    assert ended.head.state == "done"
    assert (taken.usd, taken.unpriced, taken.turns) == (0, 1, 1)


async def test_a_limit_in_usd_refuses_what_keeps_to_none(lab: Lab, programs: Path) -> None:
    put_program(programs, "codex", CODEX, before=f"touch {programs}/ran")
    ended, taken = await run(lab, CODEX_CLI, Limited(usd=5))
    assert ended.head.state == "failed"
    assert "has a limit in USD, and codex keeps to none" in str(ended.result)
    assert taken.turns == 0
    assert not (programs / "ran").exists()


async def test_a_run_that_failed_is_charged_for_and_one_that_was_lost_at_its_worst_case(
    lab: Lab, programs: Path
) -> None:
    put_program(programs, "claude", CLAUDE.replace('"is_error": false', '"is_error": true'), code=1)
    ended, taken = await run(lab, CLAUDE_CLI, Limited(usd=1))
    assert ended.head.state == "failed"
    assert taken.usd == 0.0079825
    put_program(programs, "claude", '{"half', before="kill -9 $$")
    door = await lab.door()
    request = await ask(door, "again", demand="noop", budget=Limited(usd=1), max_attempts=1)
    assert (await end_of(door, request, 30)).head.state == "failed"
    account, _ = await Accounts(door.wire, door.names).read(tree_key(request))
    assert (spent(account).usd, spent(account).maybe_billed) == (1, 1)


async def test_a_run_whose_output_cannot_be_kept_may_have_cost_all_that_it_was_given(
    lab: Lab, programs: Path
) -> None:
    put_program(
        programs, "claude", CLAUDE, before='mkdir "$TMPDIR/../node/stdout"; head -c 9000000 /dev/zero'
    )
    ended, taken = await run(lab, CLAUDE_CLI, Limited(usd=1), max_attempts=1)
    assert "cannot be kept on this node" in str(ended.head)
    assert (taken.usd, taken.maybe_billed) == (1, 1)
