"""From settings to a coordinator's model; without one it plans by templates alone."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.settings import LlmSettings
from ...swarm.embedded.rundir import run_dir

if TYPE_CHECKING:
    from .mind import Mind

log = logging.getLogger(__name__)

PER_TOKEN = 2
"""Characters of results that are counted for one token of a window: half of it stays free in most scripts."""


def coordinators_models(settings: LlmSettings) -> tuple[str, ...]:
    """Return the models that a coordinator asks, in turn; empty where none is set."""
    from ...capabilities.agent.models.chain import chain

    return chain(settings, "coordinator")


def lacking(settings: LlmSettings, environ: Mapping[str, str] = os.environ) -> str:
    """Return why no model that is set for a coordinator can be asked; empty where one can, or none is set."""
    models = coordinators_models(settings)
    if not models:
        return ""
    from ...capabilities.agent.models.named import any_ready

    return any_ready(models, settings, environ).why


def connect_mind(
    settings: LlmSettings,
    home: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    described: Callable[[], Mapping[str, str]],
) -> "Mind | None":
    """Return the model that a coordinator is to ask; None, with a word in the log, where there is none.

    Nothing is loaded or asked before the first question. Raises ConfigError for a wrong `llm.prices` file.
    """
    models = coordinators_models(settings)
    if not models:
        return None
    if why := lacking(settings, environ):
        log.warning("no model takes part here: %s", why)
        return None
    from ...capabilities.agent.models.connect import connect_models
    from .mind import MOST_ROOM, Mind

    client = connect_models(
        settings, environ=environ, run=run_dir(home), told=lambda line: log.info("model: %s", line)
    )
    windows = [window for model in models if (window := client.prices.window(model)) is not None]
    room = min([MOST_ROOM, *(window * PER_TOKEN for window in windows)])
    return Mind(
        client=client,
        model=models[0],
        fallbacks=models[1:],
        max_tokens=settings.max_tokens,
        timeout=settings.timeout,
        room=room,
        worst=client.prices.worst,
        described=described,
    )
