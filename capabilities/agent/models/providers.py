"""The providers that a model's name may begin with: how each is reached, and what it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Adapter = Literal["anthropic", "litellm", "cassette"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider."""

    name: str
    adapter: Adapter = "litellm"
    route: str = ""
    """What litellm calls it; empty: by its name."""
    keys: tuple[str, ...] = ()
    """Environment variables of which one must hold its key; empty: it needs none."""
    addresses: tuple[str, ...] = ()
    """Environment variables that name its address; the first that is set counts."""
    address: str = ""
    """Where it is without one of these, as far as `models_path` needs it."""
    models_path: str = ""
    """What to get there to see whether a key is taken, at no cost; empty: it cannot be seen so."""
    key_header: str = "Authorization"
    """What that request carries the key in; there as a bearer."""
    lists_all: bool = False
    """Whether that answer names each model that can be asked."""
    keeps_schemas: bool = False
    """Whether each model keeps to a schema that it is held to, tools or not. Of others some pay no heed to it,
    and some would use no tools any more."""
    tells_cost: bool = False
    """Whether its answers say what they cost, in USD."""
    local: bool = False
    """Runs on a machine of the user's own: no key, and nobody's bill."""


def _openai_like(
    name: str,
    key: str,
    address: str,
    models_path: str = "/models",
    *,
    keeps_schemas: bool = False,
    tells_cost: bool = False,
) -> Provider:
    variable = key.removesuffix("_API_KEY")
    return Provider(
        name=name,
        keys=(key,),
        addresses=(f"{variable}_API_BASE", f"{variable}_BASE_URL"),
        address=address,
        models_path=models_path,
        keeps_schemas=keeps_schemas,
        tells_cost=tells_cost,
    )


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        provider.name: provider
        for provider in (
            Provider(
                name="anthropic",
                adapter="anthropic",
                keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
                addresses=("ANTHROPIC_BASE_URL",),
                address="https://api.anthropic.com",
            ),
            Provider(
                name="openai",
                keys=("OPENAI_API_KEY",),
                addresses=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
                address="https://api.openai.com/v1",
                models_path="/models",
                lists_all=True,
                keeps_schemas=True,
            ),
            Provider(
                name="ollama",
                route="ollama_chat",
                addresses=("OLLAMA_API_BASE", "OLLAMA_HOST"),
                address="http://localhost:11434",
                models_path="/api/tags",
                lists_all=True,
                local=True,
            ),
            Provider(
                name="ollama_chat",
                addresses=("OLLAMA_API_BASE", "OLLAMA_HOST"),
                address="http://localhost:11434",
                models_path="/api/tags",
                lists_all=True,
                local=True,
            ),
            Provider(
                name="lm_studio",
                addresses=("LM_STUDIO_API_BASE",),
                address="http://localhost:1234/v1",
                models_path="/models",
                local=True,
            ),
            Provider(
                name="hosted_vllm",
                addresses=("HOSTED_VLLM_API_BASE",),
                address="http://localhost:8000/v1",
                models_path="/models",
                lists_all=True,
                local=True,
            ),
            _openai_like(
                "openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", "/key", tells_cost=True
            ),
            _openai_like("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1", keeps_schemas=True),
            _openai_like("groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
            _openai_like("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com"),
            _openai_like("xai", "XAI_API_KEY", "https://api.x.ai/v1", keeps_schemas=True),
            _openai_like("cerebras", "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1"),
            _openai_like("moonshot", "MOONSHOT_API_KEY", "https://api.moonshot.ai/v1"),
            Provider(
                name="gemini",
                keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
                address="https://generativelanguage.googleapis.com/v1beta",
                models_path="/models?pageSize=1",
                key_header="x-goog-api-key",
            ),
            Provider(
                name="cohere",
                keys=("COHERE_API_KEY", "CO_API_KEY"),
                address="https://api.cohere.com/v1",
                models_path="/models?page_size=1",
            ),
            Provider(name="perplexity", keys=("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY")),
            Provider(
                name="together_ai",
                keys=("TOGETHERAI_API_KEY", "TOGETHER_API_KEY"),
                address="https://api.together.xyz/v1",
                models_path="/models",
            ),
            Provider(
                name="fireworks_ai",
                keys=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
                address="https://api.fireworks.ai/inference/v1",
                models_path="/models",
            ),
            Provider(name="cassette", adapter="cassette"),
        )
    }
)
"""By name. Any other provider of litellm's is reached as `litellm/PROVIDER/NAME`, by litellm's own variables."""
