"""What a model's name means: `provider/name`, by which adapter, at which address, with which key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ....config.models import maker_of
from ....config.settings import LlmSettings
from ....config.spelling import did_you_mean
from ....errors import ModelRefused, UsageError
from .providers import PROVIDERS, Provider

_NO_KEY = "none"
"""What a server at an address of the user's own is sent where no key is set: most of them ask for none."""


class ModelNameRefused(UsageError, ModelRefused):
    """Raised when a model's name says no provider that is known."""


class PackageMissing(UsageError, ModelRefused):
    """Raised when what speaks with a provider is not installed; says how to install it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model's name, taken apart."""

    provider: Provider
    name: str
    """As its provider calls it."""
    route: str = ""
    """As litellm calls it, provider included."""

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one provider is reached on this node."""

    key: str | None = field(default=None, repr=False)
    variable: str = ""
    """The environment variable that the key is from, or would be."""
    address: str | None = None
    """None: the provider's own."""

    @property
    def sent_key(self) -> str | None:
        """The key, or a placeholder for a server of the user's own; None: nothing to send."""
        return self.key or (_NO_KEY if self.address else None)

    def key_for(self, model: str) -> str:
        """Return what to send; raises ModelKeyRefused where there is nothing, or no header can carry it."""
        from . import failures

        if self.sent_key is None:
            raise failures.key_refused(model, self.variable, None)
        if not (self.sent_key.isascii() and self.sent_key.isprintable()):
            raise failures.key_unsendable(model, self.variable)
        return self.sent_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether a model can be asked from here, as far as one can tell without the network."""

    ready: bool
    why: str = ""
    """What is missing, and what to do; empty where nothing is."""


def read_model(text: str) -> Model:
    """Take a model's name apart; a bare `claude-…`, `gpt-…` or `gemini-…` is its maker's.

    Raises ModelNameRefused, which names the nearest provider.
    """
    wrong = text if len(text) <= 100 else f"{text[:100]}…"
    if not text or not text.isprintable() or any(letter.isspace() for letter in text):
        raise ModelNameRefused(f"{wrong!r} is no model: write PROVIDER/NAME, such as anthropic/claude-opus-5")
    prefix, slash, name = text.partition("/")
    if not slash and (maker := maker_of(text)):
        prefix, name = maker, text
    elif not slash:
        hint = did_you_mean(text, PROVIDERS) or (
            f", such as ollama/{wrong} for one of this machine or openrouter/MAKER/NAME; known are "
            f"{', '.join(PROVIDERS)}"
        )
        raise ModelNameRefused(f"model {wrong!r} does not name its provider: write PROVIDER/NAME{hint}")
    if not name:
        raise ModelNameRefused(f"model {wrong!r} has no name after its provider: write {prefix}/NAME")
    if prefix == "litellm":
        inner, slash, rest = name.partition("/")
        if not (slash and inner and rest):
            raise ModelNameRefused(f"model {wrong!r} is not whole: write litellm/PROVIDER/NAME")
        return Model(provider=Provider(name="litellm"), name=name, route=name)
    provider = PROVIDERS.get(prefix)
    if provider is None:
        prefix = prefix[:40]
        hint = did_you_mean(prefix, PROVIDERS) or f"; known are {', '.join(PROVIDERS)}"
        raise ModelNameRefused(
            f"model {wrong!r}: no provider {prefix!r} is known, but any of litellm's is written "
            f"litellm/{prefix}/NAME{hint}"
        )
    return Model(provider=provider, name=name, route=f"{provider.route or provider.name}/{name}")


def access(model: Model, settings: LlmSettings, environ: Mapping[str, str]) -> Access:
    """Return how the model is reached.

    `llm.base_url` is the address of the provider of `llm.model`; any other has its own variables.
    """
    provider = model.provider
    found = next((name for name in provider.keys if environ.get(name, "").strip()), None)
    address = next(
        (environ[name].strip() for name in provider.addresses if environ.get(name, "").strip()), None
    )
    if settings.base_url and (
        not settings.model or read_model(settings.model).provider.name == provider.name
    ):
        address = settings.base_url
    if address and provider.addresses and "://" not in address:
        address = _with_port(f"http://{address}", provider.address)  # OLLAMA_HOST is often HOST:PORT, or HOST
    if address is None and provider.local:
        address = provider.address
    return Access(
        key=environ[found].strip() if found else None,
        variable=found or next(iter(provider.keys), ""),
        address=address.rstrip("/") if address else None,
    )


def _with_port(address: str, usual: str) -> str:
    """Return an address that was written without a scheme with the provider's own port, where it has none."""
    try:
        parts, port = urlsplit(address), urlsplit(usual).port
        if port is None or parts.port is not None:
            return address
    except ValueError:  # said by whoever connects to it
        return address
    return parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{port}").geturl()


def any_ready(models: Sequence[str], settings: LlmSettings, environ: Mapping[str, str]) -> Readiness:
    """Tell whether one of some models could be asked from here; else what each of them lacks. No network."""
    found = [readiness(model, settings, environ) for model in models or ("",)]
    ready = any(one.ready for one in found)
    return Readiness(ready=ready, why="" if ready else "; ".join(dict.fromkeys(one.why for one in found)))


def readiness(text: str, settings: LlmSettings, environ: Mapping[str, str]) -> Readiness:
    """Tell whether a model could be asked from here: its name, its adapter, its key. No network."""
    from importlib.util import find_spec

    if not text:
        return Readiness(
            ready=False,
            why="no model is set: give --llm.model, such as anthropic/claude-opus-5 or ollama/qwen3",
        )
    try:
        model = read_model(text)
        way = access(model, settings, environ)
    except ModelNameRefused as error:
        return Readiness(ready=False, why=str(error))
    if model.provider.adapter == "cassette":
        return Readiness(ready=True)
    extra = "agent" if model.provider.adapter == "anthropic" else "litellm"
    if find_spec(model.provider.adapter) is None:
        return Readiness(
            ready=False, why=f"model {model} needs a package: pip install 'picoclaw-swarm[{extra}]'"
        )
    if model.provider.keys and way.sent_key is None:
        variables = " or ".join(model.provider.keys)
        return Readiness(ready=False, why=f"model {model} needs a key: set {variables} in the environment")
    return Readiness(ready=True)
