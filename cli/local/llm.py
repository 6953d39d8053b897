"""The model of a local swarm: that of this user's settings, where it can be asked from here."""

import os
from typing import TYPE_CHECKING

from ..errors import echo_warning

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...config.settings import LlmSettings


def local_llm(loaded: "Loaded") -> "LlmSettings | None":
    """Return the settings of models; None, with a word where one is set, when none is ready."""
    llm = loaded.settings.llm
    if not llm.model:
        return None
    from ...capabilities.agent.models.named import readiness

    ready = readiness(llm.model, llm, os.environ)
    if not ready.ready:
        echo_warning(f"no model takes part: {ready.why}")
        return None
    return llm
