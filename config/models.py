"""Names of models, as a setting takes them: which providers there are is known above."""

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import ConfigError

MAKERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "anthropic": ("claude-",),
        "openai": ("gpt-", "chatgpt-", "o1", "o3", "o4-"),
        "gemini": ("gemini-",),
        "mistral": ("mistral-", "magistral-", "ministral-", "codestral-", "devstral-"),
        "deepseek": ("deepseek-chat", "deepseek-reasoner"),
        "xai": ("grok-",),
        "moonshot": ("moonshot-",),
        "cohere": ("command-",),
    }
)
"""How names begin that are one provider's alone: these are understood without `PROVIDER/`."""


def maker_of(name: str) -> str:
    """Return the provider whose models alone are called so; empty where it could be another's."""
    if ":" in name or name.startswith("gpt-oss"):  # a tag, as Ollama's have, or weights that anybody serves
        return ""
    return next((maker for maker, begins in MAKERS.items() if name.startswith(begins)), "")


def check_model(text: str) -> str:
    """Return `provider/name`, stripped; a bare name of one maker's is taken too. Raises ConfigError."""
    text = text.strip()
    if not text:
        raise ConfigError("the model is empty: name one, such as anthropic/claude-opus-5, or leave it out")
    shown = repr(text if len(text) <= 60 else text[:60] + "…")
    if not text.isprintable() or any(letter.isspace() for letter in text) or len(text) > 200:
        raise ConfigError(f"{shown} is no model: write PROVIDER/NAME without spaces")
    provider, slash, name = text.partition("/")
    if not slash and not maker_of(text):
        like = text if len(text) <= 60 else "NAME"
        raise ConfigError(
            f"{shown} does not name a provider: write PROVIDER/NAME, such as ollama/{like} for one that runs "
            f"on this machine, or openrouter/MAKER/{like}"
        )
    if slash and not (provider and name):
        raise ConfigError(f"{shown} is not whole: write PROVIDER/NAME, such as ollama/qwen3")
    return text
