"""Names of models: the provider, the way to it, and what is missing, in words."""

import pytest

from picoclaw.capabilities.agent.models.chain import chain
from picoclaw.capabilities.agent.models.named import (
    ModelNameRefused,
    access,
    any_ready,
    read_model,
    readiness,
)
from picoclaw.config.settings import LlmSettings, RoleLlmSettings
from picoclaw.errors import ModelRefused, UsageError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "provider", "name", "route"),
    [
        ("anthropic/claude-opus-5", "anthropic", "claude-opus-5", "anthropic/claude-opus-5"),
        ("claude-sonnet-5", "anthropic", "claude-sonnet-5", "anthropic/claude-sonnet-5"),
        ("ollama/qwen3:8b", "ollama", "qwen3:8b", "ollama_chat/qwen3:8b"),
        ("ollama_chat/qwen3", "ollama_chat", "qwen3", "ollama_chat/qwen3"),
        ("openrouter/z-ai/glm-5", "openrouter", "z-ai/glm-5", "openrouter/z-ai/glm-5"),
        ("litellm/bedrock/x.y-v1:0", "litellm", "bedrock/x.y-v1:0", "bedrock/x.y-v1:0"),
        ("gpt-4o", "openai", "gpt-4o", "openai/gpt-4o"),
        ("o3-mini", "openai", "o3-mini", "openai/o3-mini"),
        ("gemini-3-pro", "gemini", "gemini-3-pro", "gemini/gemini-3-pro"),
        ("grok-4", "xai", "grok-4", "xai/grok-4"),
        ("mistral-large-latest", "mistral", "mistral-large-latest", "mistral/mistral-large-latest"),
    ],
)
def test_a_name_is_taken_apart(text: str, provider: str, name: str, route: str) -> None:
    model = read_model(text)
    assert (model.provider.name, model.name, model.route) == (provider, name, route)
    assert str(read_model(str(model))) == str(model)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("antropic/claude-opus-5", r"did you mean 'anthropic'\?"),
        ("qwen3", "such as ollama/qwen3"),
        ("gpt-oss-120b", "does not name its provider"),
        ("mistral-small:24b", "does not name its provider"),
        ("openai/", "no name after its provider"),
        ("bedrock/x", "written litellm/bedrock/NAME"),
        ("litellm/x", "not whole"),
        ("", "is no model"),
        ("a b/c", "is no model"),
        ("x" * 5000, "does not name its provider"),
    ],
)
def test_what_is_no_name_is_told_in_words(text: str, words: str) -> None:
    with pytest.raises(ModelNameRefused, match=words) as raised:
        read_model(text)
    assert len(str(raised.value)) < 700
    assert isinstance(raised.value, UsageError)
    assert isinstance(raised.value, ModelRefused)


def test_the_address_of_the_settings_is_that_of_their_model_alone() -> None:
    settings = LlmSettings(model="openai/gpt-5.5", base_url="http://gateway/v1/")
    environ = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o", "OPENAI_BASE_URL": "http://other/v1"}
    ours = access(read_model("openai/gpt-4o"), settings, environ)
    other = access(read_model("claude-opus-5"), settings, environ)
    assert (ours.address, ours.key) == ("http://gateway/v1", "o")
    assert (other.address, other.key) == (None, "a")
    assert "'o'" not in repr(ours)


def test_a_server_of_ones_own_needs_no_key() -> None:
    assert (
        access(read_model("openai/x"), LlmSettings(), {"OPENAI_BASE_URL": "http://h/v1"}).sent_key == "none"
    )
    assert access(read_model("openai/x"), LlmSettings(), {}).sent_key is None
    here = access(read_model("ollama/x"), LlmSettings(), {"OLLAMA_HOST": "box:11434"})
    assert here.address == "http://box:11434"
    assert access(read_model("ollama/x"), LlmSettings(), {}).address == "http://localhost:11434"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://0.0.0.0:11434"),
        ("box:80", "http://box:80"),
        ("[::1]", "http://[::1]:11434"),
        ("http://box", "http://box"),
        ("box:", "http://box:11434"),
    ],
)
def test_a_host_of_ollamas_has_its_port(host: str, address: str) -> None:
    assert access(read_model("ollama/x"), LlmSettings(), {"OLLAMA_HOST": host}).address == address


@pytest.mark.parametrize(
    ("model", "environ", "words"),
    [
        ("", {}, "--llm.model"),
        ("claude-opus-5", {}, "ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN"),
        ("claude-opus-5", {"ANTHROPIC_API_KEY": "  "}, "ANTHROPIC_API_KEY"),
        ("openai/gpt-5.5", {"ANTHROPIC_API_KEY": "k"}, "OPENAI_API_KEY"),
        ("antropic/x", {}, "did you mean"),
    ],
)
def test_what_is_missing_is_named(model: str, environ: dict[str, str], words: str) -> None:
    found = readiness(model, LlmSettings(model=model if "/" in model else ""), environ)
    assert not found.ready
    assert words in found.why


@pytest.mark.parametrize(
    ("model", "environ"),
    [
        ("claude-opus-5", {"ANTHROPIC_API_KEY": "k"}),
        ("claude-opus-5", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}),
        ("openai/gpt-5.5", {"OPENAI_API_KEY": "k"}),
        ("ollama/qwen3", {}),
    ],
)
def test_what_is_there_is_ready(model: str, environ: dict[str, str]) -> None:
    assert readiness(model, LlmSettings(), environ).ready


def test_of_a_chain_one_is_enough_and_else_each_says_what_it_lacks() -> None:
    models = ("claude-opus-5", "openai/gpt-5.5", "claude-sonnet-5")
    assert any_ready(models, LlmSettings(), {"OPENAI_API_KEY": "k"}).ready
    none = any_ready(models, LlmSettings(), {})
    assert not none.ready
    assert "claude-opus-5 needs a key" in none.why
    assert "gpt-5.5 needs a key: set OPENAI_API_KEY" in none.why
    assert "--llm.model" in any_ready((), LlmSettings(), {}).why


def test_the_chain_of_a_role_and_of_a_profile() -> None:
    settings = LlmSettings(
        model="openai/a", fallbacks=("ollama/b", "openai/a"), coordinator=RoleLlmSettings(model="openai/c")
    )
    assert chain(settings) == ("openai/a", "ollama/b")
    assert chain(settings, "coordinator") == ("openai/c", "ollama/b", "openai/a")
    assert chain(settings, "coordinator", ["ollama/own", "ollama/own"]) == ("ollama/own",)
    assert chain(LlmSettings(fallbacks=("ollama/b",))) == ()
