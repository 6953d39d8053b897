"""The analyzers: reviews of a repository; where the node has a model, it reads the code too."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..executor import Executor
from ..told import Told


def executors(_: Sequence[Path], told: Told) -> tuple[Executor, ...]:
    """Return the executors of this family; no file of the user's defines one."""
    from ..analyzers.review import ReviewExecutor

    analyzers = ReviewExecutor()
    settings = told.settings
    if not (settings.llm.model and settings.llm.review):
        return (analyzers,)
    from ..agent.models.named import any_ready

    if not any_ready((settings.llm.model, *settings.llm.fallbacks), settings.llm, os.environ).ready:
        return (analyzers,)
    from ..agent.reviewing.executor import ModelReviewExecutor

    return (ModelReviewExecutor(analyzers, settings),)
