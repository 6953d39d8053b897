"""What coding CLIs print, as their documentation has it, read as an account."""

import json

import pytest

from picoclaw.capabilities.agent.coding.account import Account, passing
from picoclaw.capabilities.agent.coding.known import KNOWN, CodingCli
from picoclaw.capabilities.agent.coding.run import data_of, in_figures
from picoclaw.tests.support.coding_clis import AIDER, CLAUDE, CLAUDE_SPENT, CODEX, GEMINI, GEMINI_REFUSED

pytestmark = pytest.mark.unit

READ = {cli.name: cli.read for cli in KNOWN}


def test_claude_tells_its_answer_its_cost_and_its_session() -> None:
    assert READ["claude"](CLAUDE) == Account(
        text="Hello CLI Test",
        usd=0.0079825,
        turns=1,
        session="0e639165-79b1-4bd4-bb0f-4cb4c15115d4",
        read=15638,
        written=6,
    )


def test_codex_tells_its_last_message_and_no_money() -> None:
    assert READ["codex"](CODEX) == Account(
        text="Repo contains docs, sdk, and examples directories.",
        turns=1,
        session="0199a213-81c0-7800-8aa1-bbab2a035a53",
        read=24763,
        written=122,
    )


def test_gemini_tells_its_answer_and_its_tokens() -> None:
    assert READ["gemini"](GEMINI) == Account(
        text="The capital of France is Paris.",
        turns=3,
        session="b1c9a0f2-7d2f-4a55-9a43-0d6f2c1f5a11",
        read=24939 + 8965,
        written=20 + 10,
    )


def test_aider_tells_its_answer_and_its_cost() -> None:
    assert READ["aider"](AIDER) == Account(
        text="I will greet by name.\n\nDone.", usd=0.02, turns=2, read=5300, written=157
    )


def test_what_stands_before_an_object_is_passed_over() -> None:
    assert READ["gemini"]("Loaded cached credentials.\n{not this}\n" + GEMINI) == READ["gemini"](GEMINI)
    assert READ["claude"]("a warning\n" + CLAUDE.strip() + "\nbye\n") == READ["claude"](CLAUDE)
    assert READ["codex"]("noise\n{half\n" + CODEX) == READ["codex"](CODEX)


def test_an_answer_of_the_old_codex_is_read_too() -> None:
    assert READ["codex"](CODEX.replace("agent_message", "assistant_message")).text.startswith("Repo contains")


@pytest.mark.parametrize(
    ("name", "printed", "problem"),
    [
        ("claude", json.dumps({"type": "result", "is_error": True, "result": "Invalid API key"}), "Invalid"),
        ("claude", json.dumps({"type": "result", "subtype": "error_max_turns"}), "error_max_turns"),
        ("claude", CLAUDE_SPENT.replace("error_max_budget_usd", "error_during_execution"), "Reached maximum"),
        ("codex", '{"type":"turn.failed","error":{"message":"quota"}}', "quota"),
        ("codex", '{"type":"error","message":"stream"}\n{"type":"turn.failed"}', "stream"),
        ("codex", '{"type":"thread.started","thread_id":"t"}', "ended before its turn did"),
        ("gemini", '{"error":{"type":"ApiError","message":"no key","code":401}}', "no key"),
        ("gemini", GEMINI_REFUSED, "API key not valid"),
        ("gemini", '{"response":null,"stats":{}}', "gave no answer"),
        ("aider", "Aider v0.86.1\nlitellm.AuthenticationError: bad key", "AuthenticationError: bad key"),
    ],
)
def test_a_failure_is_told_in_its_own_words(name: str, printed: str, problem: str) -> None:
    assert problem in READ[name](printed).problem


def test_what_the_fences_of_claude_refused_is_told() -> None:
    denials = '"permission_denials": [{"tool_name": "Bash", "tool_use_id": "t", "tool_input": {}}], "usage"'
    account = READ["claude"](CLAUDE.replace('"usage"', denials))
    assert account.denied == 1
    assert "its own fences refused 1 uses of tools" in in_figures("claude", account)


def test_claude_at_its_limit_in_usd_is_no_failure() -> None:
    account = READ["claude"](CLAUDE_SPENT)
    assert (account.problem, account.usd) == ("", 0.2519)
    assert account.stopped == "Reached maximum budget ($0.25)"


def test_a_turn_that_completes_takes_back_an_error_before_it() -> None:
    assert READ["codex"]('{"type":"error","message":"Reconnecting 1/5"}\n' + CODEX).problem == ""


@pytest.mark.parametrize("cli", KNOWN, ids=lambda cli: cli.name)
@pytest.mark.parametrize(
    "printed",
    [
        "",
        "\x00\x00\x00",
        "segmentation fault",
        "{",
        "[]",
        "null",
        '"text"',
        "[" * 5000,
        '{"a":' * 5000,
        '{"other": 1}',
        '{"type": "item"}',
        "\n".join(["{"] * 3000),
    ],
)
def test_garbage_is_no_answer_and_no_traceback(cli: CodingCli, printed: str) -> None:
    account = cli.read(printed)
    assert "is not what" in account.problem
    assert account.text == ""


@pytest.mark.parametrize("odd", [None, "x", -1, True, [], {}, 1e400, 10**400])
def test_a_figure_of_another_kind_is_left_out(odd: object) -> None:
    found = {"type": "result", "result": "t", "total_cost_usd": odd, "num_turns": odd, "usage": odd}
    account = READ["claude"](json.dumps(found))
    if not account.problem:
        assert (account.text, account.usd, account.turns, account.read) == ("t", None, None, None)
    event = {"type": "turn.completed", "usage": {"input_tokens": odd}}
    assert READ["codex"](json.dumps(event)).read is None
    assert READ["gemini"](json.dumps({"response": "t", "stats": {"models": {"m": odd}}})).read is None


def test_only_what_may_pass_is_tried_again() -> None:
    assert passing("API Error: 529 overloaded_error")
    assert passing("rate_limit_error")
    assert not passing("429: insufficient_quota")
    assert not passing("Invalid API key")


def test_the_data_says_null_for_what_is_not_told() -> None:
    assert data_of(READ["codex"](CODEX)) == {
        "text": "Repo contains docs, sdk, and examples directories.",
        "usd": None,
        "turns": 1,
        "session": "0199a213-81c0-7800-8aa1-bbab2a035a53",
        "tokens": {"read": 24763, "written": 122},
    }
    assert "at a price that it does not tell" in in_figures("codex", READ["codex"](CODEX))
    assert "1 turns, 15638 tokens read and 6 written, for 0.0080 USD" in in_figures(
        "claude", READ["claude"](CLAUDE)
    )
