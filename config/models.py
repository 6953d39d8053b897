"""Names of models, as a setting takes them: which providers there are is known above."""

from ..errors import ConfigError


def check_model(text: str) -> str:
    """Return `provider/name`, stripped; a bare `claude-…` is taken too. Raises ConfigError."""
    text = text.strip()
    if not text:
        raise ConfigError("the model is empty: name one, such as anthropic/claude-opus-5, or leave it out")
    shown = repr(text if len(text) <= 60 else text[:60] + "…")
    if not text.isprintable() or any(letter.isspace() for letter in text) or len(text) > 200:
        raise ConfigError(f"{shown} is no model: write PROVIDER/NAME without spaces")
    provider, slash, name = text.partition("/")
    if not (slash and provider and name) and not (text.startswith("claude-") and not slash):
        raise ConfigError(f"{shown} does not name a provider: write PROVIDER/NAME, such as ollama/qwen3")
    return text
