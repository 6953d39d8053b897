"""Names of models in settings: a maker's own is understood bare, anything else says its provider."""

import pytest

from picoclaw.config.models import check_model
from picoclaw.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["claude-opus-5", "gpt-4o", "o3", "gemini-3-pro", "openrouter/z-ai/glm-5"])
def test_a_name_that_is_one_providers_alone_is_taken(name: str) -> None:
    assert check_model(f" {name} ") == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("qwen3:8b", "such as ollama/qwen3:8b for one that runs on this machine"),
        ("gpt-oss-120b", "openrouter/MAKER/gpt-oss-120b"),
        ("claude", "does not name a provider"),
        ("openai/", "is not whole: write PROVIDER/NAME"),
    ],
)
def test_any_other_is_refused_with_what_to_write(name: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_model(name)
    assert told in str(raised.value)
