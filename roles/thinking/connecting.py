"""From settings to a coordinator's model; without one it plans by templates alone."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.settings import LlmSettings
from ...errors import PicoclawError
from ...swarm.embedded.rundir import run_dir

if TYPE_CHECKING:
    from .mind import Mind

log = logging.getLogger(__name__)

PER_TOKEN = 2
"""Characters of results that are counted for one token of a window: half of it stays free in most scripts."""


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
    model = settings.coordinator.model or settings.model
    if not model:
        return None
    from ...capabilities.agent.models.connect import connect_models
    from ...capabilities.agent.models.named import any_ready, read_model
    from .mind import MOST_ROOM, Mind

    try:
        ready = any_ready((model, *settings.fallbacks), settings, environ)
        named = str(read_model(model))
    except PicoclawError as error:
        log.warning("this coordinator plans without a model: %s", error)
        return None
    if not ready.ready:
        log.warning("this coordinator plans without a model: %s", ready.why)
        return None
    client = connect_models(
        settings, environ=environ, run=run_dir(home), told=lambda line: log.info("model: %s", line)
    )
    window = client.prices.window(named)
    room = MOST_ROOM if window is None else min(MOST_ROOM, window * PER_TOKEN)
    return Mind(
        client=client,
        model=model,
        fallbacks=settings.fallbacks,
        max_tokens=settings.max_tokens,
        timeout=settings.timeout,
        room=room,
        worst=lambda model, read, written: client.prices.worst(str(read_model(model)), read, written),
        described=described,
    )
