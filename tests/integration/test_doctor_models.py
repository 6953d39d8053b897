"""`picoclaw doctor` on models: each that is set is asked for at no cost, and what is amiss says what to do."""

import pytest

from picoclaw.cli.doctor.models import model_rows
from picoclaw.config.settings import LlmSettings, RoleLlmSettings, Settings
from picoclaw.tests.support.fake_llm import fake_llm

pytestmark = pytest.mark.integration


async def test_each_model_that_is_set_has_a_row() -> None:
    with fake_llm({"keys": ["sk-right"], "rules": [{"answer": "never asked"}]}) as playing:
        llm = LlmSettings(
            model="claude-opus-5",
            fallbacks=("openai/mine", "ollama/qwen3"),
            coordinator=RoleLlmSettings(model="mistral/mistral-large-latest"),
        )
        environ = {
            "ANTHROPIC_API_KEY": "sk-right",
            "ANTHROPIC_BASE_URL": playing.url,
            "OPENAI_API_KEY": "sk-wrong",
            "OPENAI_BASE_URL": playing.openai_url,
            "OLLAMA_HOST": "127.0.0.1:9",
        }
        known, wrong, away, keyless = await model_rows(Settings(llm=llm), environ)
        calls = playing.calls()

    assert (known.status, known.detail) == (
        "ok",
        f"anthropic/claude-opus-5: the server at {playing.url} takes the key in ANTHROPIC_API_KEY; price known",
    )
    assert (wrong.status, wrong.detail) == (
        "failed",
        "openai/mine: the key in OPENAI_API_KEY is not valid",
    )
    assert away.status == "warning"
    assert away.detail.startswith("ollama/qwen3 cannot be reached at http://127.0.0.1:9")
    assert (keyless.status, keyless.fix) == ("failed", "set MISTRAL_API_KEY in the environment")
    assert not calls


async def test_none_is_set() -> None:
    (row,) = await model_rows(Settings(), {})
    assert row.status == "ok"
    assert row.detail.startswith("none is set: agents, research, writing")
