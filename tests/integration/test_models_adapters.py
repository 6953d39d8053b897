"""Both adapters against a server that speaks the providers' protocols: one contract, kept by each."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from picoclaw.capabilities.agent.models.client import Question
from picoclaw.capabilities.agent.models.connect import check_key, connect_models
from picoclaw.capabilities.agent.models.conversation import Assistant, ToolAnswer, ToolSpec, Turn, User
from picoclaw.capabilities.agent.models.litellm_library import loaded
from picoclaw.capabilities.agent.models.resilient import ResilientClient
from picoclaw.config.settings import LlmSettings
from picoclaw.errors import ContextTooLong, ModelKeyRefused, ModelRefused, ModelUnavailable, QuestionRefused
from picoclaw.swarm.embedded.probe import free_port
from picoclaw.tests.support.fake_llm import FakeLlm, fake_llm
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

MODELS = ("anthropic/claude-opus-5", "openai/gpt-5.5")
SECRET = "sk-test-0123456789-secret"
READ = ToolSpec(
    name="read",
    description="Read a file.",
    schema={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
ONCE = LlmSettings(retries=0, timeout=timedelta(seconds=20))


@pytest.fixture(scope="module")
def llm() -> Iterator[FakeLlm]:
    with fake_llm({"rules": [{"answer": "ready"}]}) as server:
        yield server


@pytest.fixture(params=MODELS, ids=["anthropic", "litellm"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def environ(llm: FakeLlm) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": llm.url,
        "ANTHROPIC_API_KEY": SECRET,
        "OPENAI_BASE_URL": llm.openai_url,
        "OPENAI_API_KEY": SECRET,
    }


@pytest.fixture
async def models(environ: dict[str, str], tmp_path: Any) -> AsyncIterator[ResilientClient]:
    client = connect_models(ONCE, environ=environ, run=tmp_path)
    yield client
    await client.close()


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def asking(model: str, text: str = "hello", **more: Any) -> Question:
    return Question(model=model, system="Be brief.", messages=(User(text=text),), **more)


async def ask(models: ResilientClient, question: Question, streamed: bool = True) -> tuple[Turn, str]:
    pieces: list[str] = []
    turn = await models.ask(question, pieces.append if streamed else None)
    return turn, "".join(pieces)


@pytest.mark.timeout(180)
async def test_what_takes_seconds_to_load_is_loaded_in_a_thread(
    llm: FakeLlm, models: ResilientClient
) -> None:
    """Not with the first question, on the event loop, whose heartbeats must go on. It is the first test here."""
    llm.play({"rules": [{"answer": "ready"}]})
    await asyncio.to_thread(loaded, MODELS[1])
    before = set(sys.modules)
    await ask(models, asking(MODELS[1]))
    assert len(set(sys.modules) - before) < 50  # of some five hundred


async def test_an_answer_its_pieces_and_what_it_took(
    llm: FakeLlm, models: ResilientClient, model: str, streamed: bool
) -> None:
    usage = {"input": 1200, "output": 30, "cache_read": 1000}
    llm.play({"rules": [{"answer": {"text": "Good morning, ${user}", "usage": usage}}]})

    turn, pieces = await ask(models, asking(model, "Ada"), streamed)

    assert turn.message.text == "Good morning, Ada"
    assert pieces == (turn.message.text if streamed else "")
    assert (turn.stop, turn.model, turn.maybe_billed) == ("end", model, 0)
    assert (turn.usage.input, turn.usage.output, turn.usage.cache_read) == (1200, 30, 1000)
    assert turn.usage.usd == models.prices.usd(model, turn.usage)
    assert turn.usage.usd is not None
    assert 0 < turn.usage.usd < 1


async def test_tools_are_called_and_answered(
    llm: FakeLlm, models: ResilientClient, model: str, streamed: bool
) -> None:
    """The server is as strict as the providers: a call without its answer, or out of place, is refused."""
    two = [{"read": {"path": "a.py"}}, {"read": {"path": "bé.py"}}]
    llm.play(
        {
            "rules": [
                {"when": {"tool": False}, "answer": {"text": "I look", "thinking": "Hm.", "tools": two}},
                {"answer": "They say: ${result}"},
            ]
        }
    )
    question = asking(model, tools=(READ,))

    first, _ = await ask(models, question, streamed)
    assert first.stop == "tools"
    assert [call.arguments for call in first.message.calls] == [{"path": "a.py"}, {"path": "bé.py"}]
    assert len({call.id for call in first.message.calls}) == 2

    answers = tuple(
        ToolAnswer(call=call.id, name="read", text=f"text {number}", error=number == 1)
        for number, call in enumerate(first.message.calls)
    )
    told = replace(question, messages=(*question.messages, first.message, *answers, User(text="And?")))
    second, _ = await ask(models, told, streamed)
    assert "text 0" in second.message.text
    assert "text 1" in second.message.text


async def test_a_conversation_goes_on_with_another_provider(llm: FakeLlm, models: ResilientClient) -> None:
    """Blocks and ids of one provider are nothing to another: an answer of either is understood by both."""
    llm.play(
        {
            "rules": [
                {"when": {"tool": False}, "answer": {"thinking": "Hm.", "tools": [{"read": {"path": "a"}}]}},
                {"answer": "${result}"},
            ]
        }
    )
    for first_model, then in (MODELS, MODELS[::-1]):
        question = asking(first_model, tools=(READ,))
        turn, _ = await ask(models, question)
        (call,) = turn.message.calls
        strange = replace(turn.message, calls=(replace(call, id="call/with+signs=" * 9),))
        for message in (turn.message, strange):
            if message is strange and message.provider == "anthropic":
                continue
            answer = ToolAnswer(call=message.calls[0].id, name="read", text="found")
            told = replace(question, model=then, messages=(*question.messages, message, answer))
            second, _ = await ask(models, told)
            assert second.message.text == "found"


async def test_arguments_that_are_no_json_are_handed_on_as_written(
    llm: FakeLlm, models: ResilientClient, model: str
) -> None:
    llm.play(
        {
            "rules": [
                {
                    "when": {"tool": False},
                    "answer": {"tools": [{"read": {"path": "a"}}], "malformed": "arguments"},
                },
                {"answer": "sorry"},
            ]
        }
    )
    question = asking(model, tools=(READ,))

    turn, _ = await ask(models, question)

    (call,) = turn.message.calls
    assert call.arguments is None
    assert '"path"' in call.raw
    answer = ToolAnswer(call=call.id, name="read", text="no JSON", error=True)
    again, _ = await ask(models, replace(question, messages=(*question.messages, turn.message, answer)))
    assert again.message.text == "sorry"


async def test_an_answer_meets_the_schema(llm: FakeLlm, models: ResilientClient, model: str) -> None:
    llm.play(
        {"rules": [{"when": {"schema": True}, "answer": {"json": {"steps": ["a"]}}}, {"answer": "prose"}]}
    )
    schema = {
        "type": "object",
        "properties": {"steps": {"type": "array", "items": {"type": "string"}}},
        "required": ["steps"],
        "additionalProperties": False,
    }
    turn, _ = await ask(models, asking(model, schema=schema))
    assert turn.message.text == '{"steps": ["a"]}'


async def test_a_model_that_cannot_be_held_to_a_schema_is_told_it_in_words(
    llm: FakeLlm, models: ResilientClient, model: str
) -> None:
    said = "'output_config.format' / 'response_format': this model does not support structured outputs"
    llm.play(
        {
            "rules": [
                {"when": {"schema": True}, "answer": {"error": {"kind": "invalid", "message": said}}},
                {"when": {"system": "JSON Schema"}, "answer": '{"step": "a"}'},
            ]
        }
    )
    schema = {
        "type": "object",
        "properties": {"step": {"type": "string"}},
        "required": ["step"],
        "additionalProperties": False,
    }
    before = len(llm.calls())
    for asked in (2, 3):  # once it has said so, it is not asked for it again
        turn, _ = await ask(models, asking(model, schema=schema))
        assert turn.message.text == '{"step": "a"}'
        assert turn.maybe_billed == 0
        assert len(llm.calls()) - before == asked


@pytest.mark.parametrize(("stop", "ours"), [("length", "length"), ("refused", "refused")])
async def test_why_it_stopped(
    llm: FakeLlm, models: ResilientClient, model: str, stop: str, ours: str
) -> None:
    llm.play({"rules": [{"answer": {"text": "Well", "stop": stop}}]})
    turn, _ = await ask(models, asking(model))
    assert turn.stop == ours


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("key", ModelKeyRefused, "API_KEY"),
        ("permission", ModelKeyRefused, "API_KEY"),
        ("no_credit", ModelRefused, "money or quota"),
        ("unknown_model", ModelRefused, "not known"),
        ("too_long", ContextTooLong, "shorten"),
        ("invalid", QuestionRefused, "refuses"),
    ],
)
async def test_what_no_retry_mends(
    llm: FakeLlm, models: ResilientClient, model: str, kind: str, error: type[ModelRefused], words: str
) -> None:
    llm.play({"rules": [{"answer": {"error": kind}}]})
    with pytest.raises(error, match=words) as raised:
        await ask(models, asking(model))
    assert type(raised.value) is error
    assert SECRET not in str(raised.value)
    assert model in str(raised.value)


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded", "server_error", "timeout"])
async def test_what_a_retry_may_mend(llm: FakeLlm, models: ResilientClient, model: str, kind: str) -> None:
    llm.play({"rules": [{"answer": {"error": {"kind": kind, "retry_after": "7s"}}}]})
    with pytest.raises(ModelUnavailable) as raised:
        await ask(models, asking(model))
    assert raised.value.delay == timedelta(seconds=7)
    assert raised.value.maybe_billed == 0


async def test_a_key_that_the_provider_repeats_is_not_shown(
    llm: FakeLlm, models: ResilientClient, model: str
) -> None:
    llm.play({"rules": [{"answer": {"error": {"kind": "invalid", "message": f"what is {SECRET}?"}}}]})
    with pytest.raises(ModelRefused) as raised:
        await ask(models, asking(model))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "Once upon a time there was a swarm", "cut": 3},
        {"error": {"kind": "overloaded", "after": 3}},
        {"text": "Once upon a time", "malformed": "stream"},
    ],
    ids=["cut", "error", "malformed"],
)
async def test_a_stream_that_breaks_may_be_billed(
    llm: FakeLlm, models: ResilientClient, model: str, answer: dict[str, Any]
) -> None:
    llm.play({"rules": [{"answer": answer}]})
    with pytest.raises(ModelUnavailable) as raised:
        await ask(models, asking(model))
    assert raised.value.maybe_billed == 1


async def test_a_whole_answer_that_breaks_may_be_billed(llm: FakeLlm, models: ResilientClient) -> None:
    for answer in ({"text": "Once upon a time", "cut": 1}, {"text": "Once", "malformed": "body"}):
        llm.play({"rules": [{"answer": answer}]})
        with pytest.raises(ModelUnavailable) as raised:
            await ask(models, asking(MODELS[1]), streamed=False)
        assert raised.value.maybe_billed == 1


@pytest.mark.parametrize("slow", [{"first": "30s"}, {"between": "30s"}], ids=["first", "between"])
async def test_silence_ends_and_may_be_billed(
    llm: FakeLlm, models: ResilientClient, model: str, slow: dict[str, str]
) -> None:
    llm.play({"rules": [{"answer": {"text": "Once upon a time there was", "slow": slow}}]})
    with pytest.raises(ModelUnavailable, match="silent") as raised:
        await ask(models, asking(model, timeout=timedelta(seconds=0.5)))
    assert raised.value.maybe_billed == 1


async def test_a_stream_that_goes_on_outlasts_the_longest_silence(
    llm: FakeLlm, models: ResilientClient, model: str
) -> None:
    llm.play({"rules": [{"answer": {"text": "word " * 30, "slow": {"between": "100ms"}}}]})
    turn, _ = await ask(models, asking(model, timeout=timedelta(seconds=0.7)))
    assert turn.message.text.count("word") == 30


async def test_who_is_cancelled_hangs_up(llm: FakeLlm, models: ResilientClient, model: str) -> None:
    llm.play({"rules": [{"answer": {"text": "Once upon a time " * 50, "slow": {"between": "300ms"}}}]})
    heard = asyncio.Event()
    task = asyncio.create_task(models.ask(asking(model), lambda _: heard.set()))
    await asyncio.wait_for(heard.wait(), 20)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await wait_for_async(lambda: llm.calls()[-1]["state"] == "left", what="the server sees the client leave")


async def test_nobody_there_is_not_billed(
    models: ResilientClient, environ: dict[str, str], model: str, streamed: bool
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    environ |= {"ANTHROPIC_BASE_URL": nowhere, "OPENAI_BASE_URL": f"{nowhere}/v1"}
    with pytest.raises(ModelUnavailable, match="cannot be reached") as raised:
        await ask(models, asking(model), streamed)
    assert raised.value.maybe_billed == 0


async def test_a_connection_that_breaks_under_a_question_has_asked_it_once(
    environ: dict[str, str], tmp_path: Any
) -> None:
    """By each of litellm's own ways to send; the provider may have begun to answer."""
    asked = 0

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += (await reader.readline()).startswith(b"POST")
        await reader.readuntil(b"hello")
        now = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        writer.transport.abort()

    async with await asyncio.start_server(reset, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ways = {"OPENAI_BASE_URL": address, "OLLAMA_HOST": address, "ANTHROPIC_BASE_URL": address}
        models = connect_models(ONCE, environ={**environ, **ways}, run=tmp_path)
        for number, name in enumerate((*MODELS, "ollama/qwen3"), 1):
            with pytest.raises(ModelUnavailable, match="cut off") as raised:
                await ask(models, asking(name))
            assert raised.value.maybe_billed == 1
            assert asked == number
        await models.close()


async def test_a_key_is_checked_before_any_work(llm: FakeLlm, environ: dict[str, str], model: str) -> None:
    before = len(llm.calls())
    llm.play({"keys": [SECRET], "models": ["claude-opus-5", "gpt-*"], "rules": [{"answer": "ready"}]})
    await check_key(model, ONCE, environ=environ)

    wrong = {**environ, "ANTHROPIC_API_KEY": "sk-wrong-0000", "OPENAI_API_KEY": "sk-wrong-0000"}
    with pytest.raises(ModelKeyRefused, match=r"(ANTHROPIC|OPENAI)_API_KEY") as raised:
        await check_key(model, ONCE, environ=wrong)
    assert "sk-wrong" not in str(raised.value)

    with pytest.raises(ModelKeyRefused, match=r"set (ANTHROPIC|OPENAI)_API_KEY"):
        await check_key(model, ONCE, environ={})

    assert len(llm.calls()) == before, "a check asks no model"


CHECKED = """
import asyncio, sys
from picoclaw.capabilities.agent.models.connect import check_key
from picoclaw.config.settings import LlmSettings
asyncio.run(check_key(sys.argv[1], LlmSettings()))
print(*{"anthropic", "litellm", "openai"} & set(sys.modules))
"""


def test_a_check_loads_no_providers_package(llm: FakeLlm, environ: dict[str, str], model: str) -> None:
    """They take seconds and a node's memory again, and a node may never ask its model anything."""
    llm.play({"keys": [SECRET], "models": ["claude-opus-5", "gpt-*"], "rules": [{"answer": "ready"}]})
    ran = subprocess.run(
        [sys.executable, "-c", CHECKED, model],
        env={**os.environ, **environ}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "\n", "")


@pytest.mark.parametrize("key", ["sk-test-0123456789-\u00e9", "sk-test-0123456789-\nx"])
async def test_a_key_that_no_header_can_carry_is_refused_in_words(
    environ: dict[str, str], model: str, key: str, tmp_path: Any
) -> None:
    wrong = {**environ, "ANTHROPIC_API_KEY": key, "OPENAI_API_KEY": key}
    models = connect_models(ONCE, environ=wrong, run=tmp_path)
    for tried in (check_key(model, ONCE, environ=wrong), ask(models, asking(model))):
        with pytest.raises(ModelKeyRefused, match=f"{model}.*has characters that no key has") as raised:
            await tried
        assert "0123456789" not in str(raised.value)
    await models.close()


async def test_one_jobs_end_leaves_the_connections_of_others(
    llm: FakeLlm, environ: dict[str, str], model: str, tmp_path: Any
) -> None:
    """Beside it, and after it."""
    llm.play({"rules": [{"answer": {"text": "word " * 20, "slow": {"between": "20ms"}}}]})
    last = connect_models(ONCE, environ=environ, run=tmp_path)
    asking_still = asyncio.create_task(ask(last, asking(model)))
    for _ in range(2):
        other = connect_models(ONCE, environ=environ, run=tmp_path)
        turn, _ = await ask(other, asking(model))
        assert turn.stop == "end"
        await other.close()
    await asking_still
    await last.close()
    after = connect_models(ONCE, environ=environ, run=tmp_path)
    await ask(after, asking(model))
    await after.close()


async def test_messages_that_a_provider_would_refuse_are_put_right(
    llm: FakeLlm, models: ResilientClient, model: str
) -> None:
    """Empty texts, neighbours of one side, an answer of nothing: all of that a loop can make."""
    llm.play({"rules": [{"answer": "fine"}]})
    messages = (User(text=" "), User(text="a"), User(text="b"), Assistant(), User(text="c"))
    turn, _ = await ask(models, replace(asking(model), system="", messages=messages))
    assert turn.message.text == "fine"
