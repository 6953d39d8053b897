"""Coding CLIs as agents: stand-ins on the PATH that print what the real ones do, in a work tree or without one."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from picoclaw.capabilities.executor import Executor
from picoclaw.capabilities.registry import load_executors, offer
from picoclaw.capabilities.repository.reference import refer
from picoclaw.capabilities.told import Told
from picoclaw.config.settings import AgentsSettings, Settings
from picoclaw.errors import FinalError, RetryableError
from picoclaw.swarm.records import (
    Parent,
    PolicyRecord,
    QueuedTask,
    RepositoryRef,
    Result,
    RuleRecord,
    Task,
)
from picoclaw.tests.support.coding_clis import AIDER, CLAUDE, CODEX, GEMINI, GEMINI_REFUSED, put_program
from picoclaw.tests.support.repositories import FolderContext, make_repository

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

PRINTS = {"aider": AIDER, "claude": CLAUDE, "codex": CODEX, "gemini": GEMINI}
KEYS = {
    "aider": "OPENAI_API_KEY",
    "claude": "ANTHROPIC_API_KEY",
    "codex": "CODEX_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
ALL_KEYS = (*KEYS.values(), "OPENROUTER_API_KEY", "DEEPSEEK_API_KEY")
SECRET = "sk-very-secret-value"


class Bench:
    """Stand-ins on the PATH, and a context to run them in."""

    def __init__(self, folder: Path, environ: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.context = FolderContext(folder)
        self.repository: RepositoryRef | None = None
        self.environ = environ
        environ.setenv("PATH", f"{self.programs}:/usr/local/bin:/usr/bin:/bin")
        for name in ALL_KEYS:
            environ.delenv(name, raising=False)

    def put(self, name: str, prints: str | None = None, **how: Any) -> Executor:
        self.environ.setenv(KEYS[name], SECRET)
        put_program(self.programs, name, PRINTS[name] if prints is None else prints, **how)
        return load_executors()[f"agent:{name}"]

    async def with_repository(self) -> None:
        folder = make_repository(self.folder / "repository", {"a.txt": "one\n"}, git=True)
        self.repository = (await refer(str(folder), self.context.artifacts)).repository

    async def run(
        self,
        executor: Executor,
        text: str = "-do this",
        *,
        parent: Parent | None = None,
        inputs: dict[str, Result] | None = None,
        more: dict[str, JsonValue] | None = None,
    ) -> Result:
        given: dict[str, JsonValue] = {"text": text, **(more or {})}
        task = Task(step="t", demand="agent:x", input=given, repository=self.repository)
        queued = QueuedTask(
            request="r-aaaaaaaaaaaaaaaa",
            task=task,
            priority=1,
            queued_seq=1,
            inputs=inputs or {},
            parent=parent,
        )
        return await executor.execute(queued, self.context)

    async def kept(self, result: Result, name: str) -> str:
        ref = next(ref for ref in result.artifacts if ref.filename == name)
        return (await self.context.artifacts.get(ref)).decode()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", PRINTS)
async def test_a_change_comes_back_as_a_patch_with_the_account(bench: Bench, name: str) -> None:
    await bench.with_repository()
    # Aider keeps its history in the repository; none of that is a change.
    before = "echo two > a.txt; touch .aider.chat.history.md" if name == "aider" else "echo two > a.txt"
    result = await bench.run(bench.put(name, before=before))

    assert isinstance(result.data, dict)
    assert set(result.data) == {"text", "usd", "turns", "session", "tokens"}
    assert result.data["text"]
    assert result.data["turns"]
    assert (result.data["usd"] is not None) == (name in ("claude", "aider"))
    assert (result.data["session"] is not None) == (name != "aider")
    patch = await bench.kept(result, "changes.patch")
    assert "-one\n+two\n" in patch
    assert patch.count("diff --git") == 1
    assert "1 file changed" in result.summary
    assert name in (result.log or "")


@pytest.mark.parametrize("name", PRINTS)
async def test_it_is_given_its_task_and_its_own_key_and_no_other(bench: Bench, name: str) -> None:
    for key in ALL_KEYS:
        bench.environ.setenv(key, f"{SECRET}-of-{key}")
    bench.environ.setenv("NATS_PASSWORD", SECRET)
    executor = bench.put(name, before='env | cut -d= -f1 > names; cat - "$TMPDIR"/* > given; echo "$@" > how')
    result = await bench.run(executor)

    names = set((await bench.kept(result, "names")).split())
    wanted = "OPENROUTER_API_KEY" if name == "aider" else KEYS[name]
    assert {one for one in names if "KEY" in one or "PASS" in one} == {wanted}
    assert await bench.kept(result, "given") == "Task:\n-do this\n"
    assert "-do this" not in await bench.kept(result, "how")


async def test_a_key_comes_back_in_nothing(bench: Bench) -> None:
    executor = bench.put("claude", before='mkdir d; echo "$ANTHROPIC_API_KEY" | tee d/file >&2')
    result = await bench.run(executor)

    assert await bench.kept(result, "d/file") == "***\n"
    assert SECRET not in result.to_bytes().decode()


@pytest.mark.parametrize("name", PRINTS)
async def test_garbage_is_said_and_not_taken_for_an_answer(bench: Bench, name: str) -> None:
    with pytest.raises(FinalError, match=rf"{name}: its output is not what {name} .*it begins with 'oops'"):
        await bench.run(bench.put(name, "oops\n"))
    with pytest.raises(FinalError, match=f"{name}: its output .*it printed nothing"):
        await bench.run(bench.put(name, ""))


@pytest.mark.parametrize("name", PRINTS)
async def test_a_failed_run_says_its_last_words(bench: Bench, name: str) -> None:
    with pytest.raises(FinalError, match=f"{name}: exit code 3: no such model"):
        await bench.run(bench.put(name, "", before="echo no such model >&2", code=3))


async def test_what_gemini_tells_of_a_failure_on_standard_error_is_read(bench: Bench) -> None:
    failed = bench.put("gemini", "", before=f"echo {shlex.quote(GEMINI_REFUSED)} >&2", code=41)
    with pytest.raises(FinalError, match=r"gemini: exit code 41: API key not valid \(session b1c9a0f2"):
        await bench.run(failed)


async def test_gemini_works_in_a_folder_that_it_has_never_seen(bench: Bench) -> None:
    # What it does of itself without a terminal, since 0.39.
    trusts = '[ "$GEMINI_CLI_TRUST_WORKSPACE" = true ] || { echo "not a trusted directory" >&2; exit 55; }'
    assert (await bench.run(bench.put("gemini", before=trusts))).summary.startswith("The capital")


async def test_it_is_told_all_that_its_task_builds_on(bench: Bench) -> None:
    executor = bench.put("claude", before="cat > given")
    before = {"look": Result(summary="the login is in auth.py", data={"line": 7})}
    told = await bench.kept(await bench.run(executor, inputs=before, more={"branch": "main"}), "given")
    assert told.startswith("Task:\n-do this\n")
    assert '"branch": "main"' in told
    assert "the login is in auth.py" in told
    assert '{"line": 7}' in told


async def test_a_task_may_name_its_model_and_nothing_else(bench: Bench) -> None:
    executor = bench.put("codex", before='echo "$@" > given')
    told = await bench.kept(await bench.run(executor, more={"model": "gpt-5.5"}), "given")
    assert told.strip().endswith("workspace-write - --model gpt-5.5")
    with pytest.raises(FinalError, match="no name of a model of codex"):
        await bench.run(executor, more={"model": "--yolo"})


async def test_its_providers_address_and_the_proxy_come_along(bench: Bench) -> None:
    bench.environ.setenv("ANTHROPIC_BASE_URL", "http://gateway.example")
    bench.environ.setenv("HTTPS_PROXY", "http://proxy.example")
    executor = bench.put("claude", before='echo "$ANTHROPIC_BASE_URL $HTTPS_PROXY" > given')
    assert (
        await bench.kept(await bench.run(executor), "given")
        == "http://gateway.example http://proxy.example\n"
    )


async def test_a_key_that_it_wrote_into_the_repository_is_in_no_patch_and_no_branch(bench: Bench) -> None:
    await bench.with_repository()
    result = await bench.run(bench.put("claude", before='echo "$ANTHROPIC_API_KEY" > a.txt'))
    assert "+***" in await bench.kept(result, "changes.patch")
    assert [ref.filename for ref in result.artifacts] == ["changes.patch"]


async def test_claude_is_told_to_leave_the_settings_of_a_repository_alone(bench: Bench) -> None:
    given = await bench.kept(await bench.run(bench.put("claude", before='echo "$@" > given')), "given")
    assert "--setting-sources user --strict-mcp-config" in given
    assert "dangerously" not in given


async def test_it_does_no_task_of_an_agent_that_is_held_to_rules(bench: Bench) -> None:
    parent = Parent(
        task="r-bbbbbbbbbbbbbbbb.task",
        root="r-bbbbbbbbbbbbbbbb",
        depth=1,
        policies=(PolicyRecord(rules=(RuleRecord(tool="bash", decision="deny"),)),),
    )
    with pytest.raises(FinalError, match="not to the rules that the agent is held to which handed this on"):
        await bench.run(bench.put("claude", before="touch ran"), parent=parent)


async def test_what_a_failed_run_had_cost_is_said_and_what_may_pass_is_tried_again(bench: Bench) -> None:
    failed = CLAUDE.replace('"is_error": false', '"is_error": true')
    with pytest.raises(FinalError, match=r"exit code 1: Hello CLI Test \(0.0080 USD spent\) \(session 0e63"):
        await bench.run(bench.put("claude", failed, code=1))
    with pytest.raises(RetryableError, match="API Error: 529 overloaded"):
        await bench.run(bench.put("claude", failed.replace("Hello CLI Test", "API Error: 529 overloaded")))


def test_an_absent_program_is_not_advertised_and_a_present_one_is(bench: Bench) -> None:
    bench.environ.setenv("PATH", f"{bench.programs}:/usr/bin:/bin")
    executors = load_executors()
    ready, _ = offer(("general",), "worker", "n", {}, executors)
    assert not ready.agents & set(PRINTS)
    assert "needs codex on the PATH: install it" in executors["agent:codex"].readiness("agent:codex").needs

    codex = bench.put("codex")
    ready, _ = offer(("general",), "worker", "n", {}, executors)
    assert ready.agents & set(PRINTS) == {"codex"}
    bench.environ.delenv("CODEX_API_KEY")
    assert (
        codex.readiness("agent:codex").needs == "needs CODEX_API_KEY: set it in the environment of the node"
    )


@pytest.mark.parametrize(
    ("programs", "policy", "needs"),
    [
        ("none", "", "agents.programs is none"),
        ("auto", "deny: [bash]", "does not keep the rules of .*policy.yaml: set agents.programs to always"),
        ("auto", "allow: [bash]", ""),
        ("always", "deny: [bash]", ""),
    ],
)
def test_a_machine_says_whether_it_wants_them(bench: Bench, programs: Any, policy: str, needs: str) -> None:
    bench.put("claude")
    if policy:
        (bench.folder / "policy.yaml").write_text(policy)
    told = Told(home=bench.folder, settings=Settings(agents=AgentsSettings(programs=programs)))
    readiness = load_executors((), told)["agent:claude"].readiness("agent:claude")
    assert readiness.ready is not bool(needs)
    assert re.search(needs, readiness.needs)


def test_an_agent_of_the_users_of_the_same_name_goes_before(bench: Bench) -> None:
    (bench.folder / "agents").mkdir()
    (bench.folder / "agents" / "claude.yaml").write_text("name: claude\nsystem: mine")
    bench.put("claude")
    executors = load_executors((), Told(home=bench.folder))
    assert type(executors["agent:claude"]) is not type(executors["agent:codex"])
