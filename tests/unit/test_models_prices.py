"""Prices: unknown is None, cached tokens cost what they cost, the user's file goes first."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.models.conversation import Usage
from picoclaw.capabilities.agent.models.prices import known_prices
from picoclaw.errors import ConfigError

pytestmark = pytest.mark.unit

PRICES = known_prices()


def test_cached_tokens_cost_what_they_cost() -> None:
    usage = Usage(input=1_000_000, output=100_000, cache_read=600_000, cache_write=300_000)
    # $5 fresh, $25 out, $0.50 read, $6.25 written, per million
    assert PRICES.usd("anthropic/claude-opus-4-5", usage) == pytest.approx(0.5 + 2.5 + 0.3 + 1.875)


def test_a_long_conversation_costs_more_where_it_does() -> None:
    short, long = Usage(input=200_000), Usage(input=200_001)
    assert PRICES.usd("gemini/gemini-2.5-pro", short) == pytest.approx(0.25)
    assert PRICES.usd("gemini/gemini-2.5-pro", long) == pytest.approx(0.5000025)


@pytest.mark.parametrize("model", ["ollama/qwen3", "openai/nobody-knows", "litellm/x/y", "nonsense"])
def test_an_unknown_price_is_unknown(model: str) -> None:
    assert PRICES.usd(model, Usage(input=10)) is None
    assert PRICES.worst(model, 10, 10) is None


@pytest.mark.parametrize("model", ["claude-opus-4-5", "anthropic/claude-opus-4-5-20990101"])
def test_other_names_of_a_model(model: str) -> None:
    assert PRICES.usd(model, Usage(input=1_000_000)) == pytest.approx(5)
    assert PRICES.window(model) == 200_000


def test_the_window_of_a_model_nobody_knows_is_unknown() -> None:
    assert PRICES.window("ollama/qwen3") is None


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.data())
def test_no_turn_costs_more_than_the_worst(input: int, output: int, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(sorted(PRICES.table)))
    read = data.draw(st.integers(0, input))
    write = data.draw(st.integers(0, input - read))
    usd = PRICES.usd(model, Usage(input=input, output=output, cache_read=read, cache_write=write))
    worst = PRICES.worst(model, input, output)
    assert (usd is None) is (worst is None)
    if usd is not None and worst is not None:
        assert 0 <= usd <= worst * (1 + 1e-9) + 1e-12


def test_a_long_question_costs_what_its_provider_takes_for_one() -> None:
    short, long = (PRICES.usd("anthropic/claude-haiku-5-5", Usage(input=n)) for n in (100_000, 100_001))
    assert short == pytest.approx(0.01)
    assert long == pytest.approx(0.05, rel=1e-3)


def test_tokens_alone_are_no_price_where_each_question_costs_besides() -> None:
    assert PRICES.usd("perplexity/sonar", Usage(input=10)) is None
    assert PRICES.window("perplexity/sonar") == 128_000


@pytest.mark.parametrize("model", ["ollama/x", "ollama_chat/x"])
def test_both_names_of_ollama_have_one_price(model: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("ollama/*: {input: 0, output: 0}\n", encoding="utf-8")
    assert known_prices(file).usd(model, Usage(input=10)) == 0
    assert known_prices(file).usd("gpt-4o", Usage(input=10**6)) == pytest.approx(2.5)


def test_the_users_file_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(
        "ollama/*: {input: 0, output: 0, window: 32000}\n"
        "anthropic/claude-opus-4-5:\n  input: 1\n  output: 2\n"
        "openai/gpt-4o:\n  window: 1000\n",
        encoding="utf-8",
    )
    prices = known_prices(file)
    assert prices.usd("ollama/qwen3", Usage(input=10**6)) == 0
    assert prices.window("ollama/qwen3") == 32000
    assert prices.usd("claude-opus-4-5", Usage(input=10**6, cache_read=10**6)) == 1
    assert prices.window("claude-opus-4-5") == 200_000
    assert prices.window("openai/gpt-4o") == 1000
    assert prices.usd("openai/gpt-4o", Usage(input=10**6)) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "not a mapping"),
        ("openai/x:", "has no prices"),
        ("openai/x: {inptu: 1}", "did you mean 'input'"),
        ("openai/x: {input: 1}", "both input and output"),
        ("openai/x: {input: -1, output: 1}", "is no number"),
        ("openai/x: {input: .nan, output: 1}", "is no number"),
        ("openai/x: {input: 1, output: 99999999}", "too large"),
        ("openai/x: {window: 0}", "from 1"),
        ("openai/x: {window: 1.5}", "whole number"),
        ("openai/x: {input: [1], output: 1}", "is no number"),
        ("openai/x: {input: 1, input: 2}", "twice"),
        ("{", "yaml:"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(f"\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as raised:
        known_prices(file)
    assert str(file) in str(raised.value)


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.touch()
    assert known_prices(file).own == {}
