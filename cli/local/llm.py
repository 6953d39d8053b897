"""The model of a local swarm: that of this user's settings, where it can be asked from here."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...config.settings import LlmSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLlm:
    """What a local swarm has of models."""

    settings: "LlmSettings | None" = None
    """None: no model takes part."""
    lacks: str = ""
    """Why the model that is set takes no part, and what to do; empty where none is set, or one is ready."""


async def local_llm(loaded: "Loaded") -> LocalLlm:
    """See, at no cost, which of the user's models would answer: a wrong key is told before anything starts."""
    llm = loaded.settings.llm
    if not llm.model:
        return LocalLlm()
    from ...capabilities.agent.models.connect import problems
    from ...capabilities.agent.models.named import any_ready

    models = (llm.model, *llm.fallbacks)
    found = any_ready(models, llm, os.environ)
    if not found.ready:
        return LocalLlm(lacks=found.why)
    wrong = await problems(models, llm)
    if len(wrong) == len(set(models)):
        return LocalLlm(lacks="; ".join(str(error) for error in wrong.values()))
    return LocalLlm(settings=llm)
