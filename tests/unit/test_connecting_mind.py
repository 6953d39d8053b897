"""The model of a coordinator: there as soon as one of its chain can be asked, and else said why not."""

from pathlib import Path

import pytest

from picoclaw.config.settings import LlmSettings, RoleLlmSettings
from picoclaw.roles.thinking.connecting import PER_TOKEN, connect_mind, lacking

pytestmark = pytest.mark.unit

CHAIN = LlmSettings(model="openai/gpt-5.5", fallbacks=("groq/none", "openai/gpt-4"))


def test_a_fallback_alone_is_enough(tmp_path: Path) -> None:
    mind = connect_mind(CHAIN, tmp_path, environ={"GROQ_API_KEY": "k"}, described=dict)
    assert mind is not None
    assert (mind.model, mind.fallbacks) == ("openai/gpt-5.5", ("groq/none", "openai/gpt-4"))
    assert mind.room == 8192 * PER_TOKEN, "the narrowest of them must be able to read a question"
    assert lacking(CHAIN, {"GROQ_API_KEY": "k"}) == ""


def test_a_name_that_is_wrong_stands_in_nobodys_way(tmp_path: Path) -> None:
    settings = LlmSettings(model="opnai/gpt-5.5", fallbacks=("groq/none",))
    assert connect_mind(settings, tmp_path, environ={"GROQ_API_KEY": "k"}, described=dict) is not None


def test_what_each_of_them_lacks_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert connect_mind(CHAIN, tmp_path, environ={}, described=dict) is None
    why = lacking(CHAIN, {})
    for words in ("gpt-5.5 needs a key", "OPENAI_API_KEY", "GROQ_API_KEY"):
        assert words in why
        assert words in caplog.text


def test_without_a_model_nothing_is_lacking(tmp_path: Path) -> None:
    assert connect_mind(LlmSettings(), tmp_path, environ={}, described=dict) is None
    assert lacking(LlmSettings(), {}) == ""
    own = LlmSettings(coordinator=RoleLlmSettings(model="claude-opus-5"))
    assert "ANTHROPIC_API_KEY" in lacking(own, {})
