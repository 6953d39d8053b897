"""The one layer of retries: what it asks, in which order, what it counts, what it says at the end."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.agent.models.client import Question
from picoclaw.capabilities.agent.models.connect import connect_models, problems
from picoclaw.capabilities.agent.models.conversation import Turn, User
from picoclaw.config.settings import LlmSettings
from picoclaw.errors import ContextTooLong, ModelKeyRefused, ModelRefused, ModelUnavailable, QuestionRefused
from picoclaw.swarm.embedded.probe import free_port
from picoclaw.tests.support.fake_llm import FakeLlm, fake_llm

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

FIRST, SECOND, THIRD = "anthropic/claude-opus-5", "anthropic/claude-sonnet-5", "anthropic/claude-haiku-4-5"
CUT = {"text": "Once upon a time there was a swarm", "cut": 3}
LIMITED = {"error": {"kind": "rate_limited", "retry_after": "1s"}}


@pytest.fixture
def llm() -> Iterator[FakeLlm]:
    with fake_llm({"rules": [{"answer": "ready"}]}) as server:
        yield server


class Asking:
    """Asks with the settings given, and keeps what is told on the way."""

    def __init__(self, llm: FakeLlm, run: Path) -> None:
        self.llm = llm
        self.run = run
        self.told: list[str] = []

    async def __call__(
        self, *models: str, listen: Callable[[str], None] | None = None, **settings: Any
    ) -> Turn:
        models = models or (FIRST,)
        environ = {"ANTHROPIC_API_KEY": "k-0123456789", "ANTHROPIC_BASE_URL": self.llm.url}
        client = connect_models(LlmSettings(**settings), environ=environ, run=self.run, told=self.told.append)
        question = Question(
            model=models[0], fallbacks=models[1:], system="", messages=(User(text="hello"),),
            timeout=timedelta(seconds=20),
        )  # fmt: skip
        try:
            return await client.ask(question, listen)
        finally:
            await client.close()

    def asked(self) -> list[str]:
        return [f"anthropic/{call['model']}" for call in self.llm.calls()]


@pytest.fixture
def ask(llm: FakeLlm, tmp_path: Path) -> Asking:
    return Asking(llm, tmp_path)


async def test_what_the_provider_asks_to_wait_is_waited(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"times": 1, "answer": LIMITED}, {"answer": "there"}]})
    began = time.monotonic()
    turn = await ask()
    assert turn.message.text == "there"
    assert time.monotonic() - began >= 1
    assert (len(llm.calls()), llm.billed(), turn.maybe_billed) == (2, 1, 0)
    assert "asked again in 1." in ask.told[0]


@pytest.mark.parametrize("more", [{}, {"as_date": True}], ids=["seconds", "date"])
async def test_both_ways_to_say_how_long_are_understood(llm: FakeLlm, ask: Asking, more: Any) -> None:
    llm.play({"rules": [{"answer": {"error": {"kind": "rate_limited", "retry_after": "30h", **more}}}]})
    with pytest.raises(ModelUnavailable) as raised:
        await ask(retries=0)
    assert raised.value.delay == timedelta(hours=24), "and it is bounded"
    llm.play({"rules": [{"answer": {"error": {"kind": "rate_limited", "retry_after": "40s", **more}}}]})
    with pytest.raises(ModelUnavailable) as raised:
        await ask(retries=0)
    assert raised.value.delay is not None
    assert timedelta(seconds=30) < raised.value.delay < timedelta(seconds=42)


async def test_what_may_have_been_billed_goes_up_with_the_answer(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"times": 2, "answer": CUT}, {"answer": "there"}]})
    turn = await ask()
    assert turn.maybe_billed == 2
    assert llm.billed() == 3


async def test_and_with_the_error(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"answer": CUT}]})
    with pytest.raises(ModelUnavailable, match="cut off") as raised:
        await ask(retries=1)
    assert raised.value.maybe_billed == llm.billed() == 2


async def test_no_retry_means_one_question(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"answer": {"error": "overloaded"}}]})
    with pytest.raises(ModelUnavailable):
        await ask(retries=0)
    assert len(llm.calls()) == 1


@pytest.mark.parametrize("kind", ["key", "unknown_model", "too_long", "no_credit"])
async def test_what_cannot_be_mended_goes_to_the_next_at_once(llm: FakeLlm, ask: Asking, kind: str) -> None:
    llm.play({"rules": [{"when": {"model": "opus"}, "answer": {"error": kind}}, {"answer": "I am ${model}"}]})
    turn = await ask(FIRST, SECOND)
    assert turn.model == SECOND
    assert turn.message.text == "I am claude-sonnet-5"
    assert ask.asked() == [FIRST, SECOND]
    assert f"{SECOND} is asked instead" in ask.told[0]


async def test_a_wrong_question_is_asked_once_whoever_else_could_be(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"when": {"model": "opus"}, "answer": {"error": "invalid"}}, {"answer": "no"}]})
    with pytest.raises(QuestionRefused, match="refuses the question"):
        await ask(FIRST, SECOND)
    assert ask.asked() == [FIRST]


async def test_a_model_that_cannot_even_be_named_is_passed_over(llm: FakeLlm, ask: Asking) -> None:
    turn = await ask("antropic/claude-opus-5", "openai/gpt-5.5", SECOND)
    assert turn.model == SECOND
    assert "did you mean 'anthropic'" in ask.told[0]
    assert "set OPENAI_API_KEY" in ask.told[1]


async def test_a_long_rest_is_not_waited_for_while_another_is_there(llm: FakeLlm, ask: Asking) -> None:
    rest = {"error": {"kind": "rate_limited", "retry_after": "90s"}}
    llm.play({"rules": [{"when": {"model": "opus"}, "answer": rest}, {"answer": "there"}]})
    assert (await ask(FIRST, SECOND)).model == SECOND
    assert ask.asked() == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        ("too_long", "key", ContextTooLong),
        ("key", "overloaded", ModelUnavailable),
        ("overloaded", "unknown_model", ModelUnavailable),
        ("key", "unknown_model", ModelKeyRefused),
        ("unknown_model", "key", ModelRefused),
    ],
)
async def test_what_is_said_when_nobody_answers(
    llm: FakeLlm, ask: Asking, first: str, second: str, error: type[Exception]
) -> None:
    llm.play(
        {
            "rules": [
                {"when": {"model": "opus"}, "answer": {"error": first}},
                {"answer": {"error": second}},
            ]
        }
    )
    with pytest.raises(error) as raised:
        await ask(FIRST, SECOND, retries=0)
    assert type(raised.value) is error
    assert FIRST in str(raised.value)
    assert SECOND in str(raised.value)


async def test_the_whole_is_over_in_its_time(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"answer": {"text": "word " * 200, "slow": {"between": "100ms"}}}]})
    began = time.monotonic()
    with pytest.raises(ModelUnavailable, match=r"llm\.total_timeout") as raised:
        await ask(total_timeout=timedelta(seconds=1))
    assert time.monotonic() - began < 5
    assert raised.value.maybe_billed == llm.billed() == 1


async def test_no_wait_begins_that_the_time_left_does_not_hold(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"answer": {"error": {"kind": "rate_limited", "retry_after": "30s"}}}]})
    began = time.monotonic()
    with pytest.raises(ModelUnavailable) as raised:
        await ask(total_timeout=timedelta(seconds=20))
    assert time.monotonic() - began < 8
    assert raised.value.delay == timedelta(seconds=30), "who has the task waits as long"


async def test_a_stream_that_broke_begins_anew(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"times": 1, "answer": CUT}, {"answer": "there"}]})
    pieces: list[str] = []
    turn = await ask(listen=pieces.append)
    assert turn.message.text == "there"
    assert "".join(pieces).endswith("there")


async def test_each_problem_of_a_chain_is_told_before_any_work(llm: FakeLlm) -> None:
    llm.play({"keys": ["k-right"], "models": ["claude-opus-5"], "rules": [{"answer": "ready"}]})
    environ = {
        "ANTHROPIC_API_KEY": "k-right",
        "ANTHROPIC_BASE_URL": llm.url,
        "OPENAI_API_KEY": "k-wrong",
        "OPENAI_BASE_URL": llm.openai_url,
        "OLLAMA_HOST": f"127.0.0.1:{free_port()}",
    }
    wrong = await problems((FIRST, "openai/gpt-5.5", "ollama/qwen3", "x/y"), LlmSettings(), environ=environ)
    assert {model: type(error) for model, error in wrong.items()} == {
        "openai/gpt-5.5": ModelKeyRefused,
        "ollama/qwen3": ModelUnavailable,
        "x/y": type(wrong["x/y"]),
    }
    assert "k-wrong" not in str(wrong["openai/gpt-5.5"])
    assert not llm.calls()


async def test_a_model_that_its_server_does_not_list_is_named_before_any_work(llm: FakeLlm) -> None:
    llm.play({"models": ["qwen3"], "rules": [{"answer": "ready"}]})
    environ = {"HOSTED_VLLM_API_BASE": f"http://127.0.0.1:{llm.port}/v1"}
    chain = ("hosted_vllm/qwen3", "hosted_vllm/quen3")
    wrong = await problems(chain, LlmSettings(), environ=environ)
    assert list(wrong) == ["hosted_vllm/quen3"]
    assert "is not among the models of its provider" in str(wrong["hosted_vllm/quen3"])


async def test_what_is_not_counted_is_estimated_and_not_free(llm: FakeLlm, ask: Asking) -> None:
    llm.play({"rules": [{"answer": {"text": "word " * 100, "usage": {"input": 0, "output": 0}}}]})
    turn = await ask()
    assert turn.usage.usd is None
    assert turn.usage.input > 0
    assert turn.usage.output > 100
