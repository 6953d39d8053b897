"""From settings to models: what the loop, the coordinator and the checks at a node's start call."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from ....config.settings import LlmSettings
from ....errors import ModelRefused, ModelUnavailable
from ....swarm.embedded.rundir import picoclaw_home, run_dir
from .anthropic import AnthropicClient
from .cassette import CassetteClient
from .client import ModelClient
from .litellm import LitellmClient
from .named import Model, access, read_model
from .prices import known_prices
from .rates import Rates
from .resilient import ResilientClient, Told

log = logging.getLogger(__name__)

_CHECK = timedelta(seconds=10)


class _Adapter(ModelClient, Protocol):
    async def check(self, model: Model, timeout: timedelta) -> None: ...


def connect_models(
    settings: LlmSettings,
    *,
    environ: Mapping[str, str] = os.environ,
    run: Path | None = None,
    told: Told | None = None,
) -> ResilientClient:
    """Return the one client of all models; nothing is loaded or asked before its first question.

    `environ` holds the providers' keys; `run` is the run directory (that of this user's home); `told` hears
    of retries and fallbacks, else the log does. Raises ConfigError for a wrong `llm.prices` file.
    """
    clients: dict[str, ModelClient] = {}
    prices = known_prices(settings.prices)

    def adapter(model: Model) -> ModelClient:
        name = model.provider.name
        if name not in clients:
            clients[name] = _made(model, settings, environ, prices.window)
        return clients[name]

    return ResilientClient(
        adapter,
        prices=prices,
        rates=Rates.of(settings, run if run is not None else run_dir(picoclaw_home())),
        retries=settings.retries,
        total=settings.total_timeout,
        told=told or _logged,
    )


async def check_key(
    model: str, settings: LlmSettings, *, environ: Mapping[str, str] = os.environ, timeout: timedelta = _CHECK
) -> None:
    """See whether a model would answer, by a real call that costs nothing.

    Raises ModelKeyRefused, which names the variable and never the key; ModelRefused for a name that nobody
    knows or a package that is missing; ModelUnavailable when nobody answers, which a start may outlive.
    """
    named = read_model(model)
    client = _made(named, settings, environ)
    try:
        await client.check(named, timeout)
    finally:
        await client.close()


async def problems(
    models: Sequence[str], settings: LlmSettings, *, environ: Mapping[str, str] = os.environ
) -> dict[str, ModelRefused | ModelUnavailable]:
    """Return what is wrong with which of the models; those that would answer are not in it."""
    wrong: dict[str, ModelRefused | ModelUnavailable] = {}
    for model in models:
        try:
            await check_key(model, settings, environ=environ)
        except (ModelRefused, ModelUnavailable) as error:
            wrong[model] = error
    return wrong


def _logged(line: str) -> None:
    log.warning("%s", line)


def _made(
    model: Model,
    settings: LlmSettings,
    environ: Mapping[str, str],
    window: Callable[[str], int | None] = lambda _: None,
) -> _Adapter:
    if model.provider.adapter == "cassette":
        return CassetteClient()
    way = access(model, settings, environ)
    return AnthropicClient(way) if model.provider.adapter == "anthropic" else LitellmClient(way, window)
