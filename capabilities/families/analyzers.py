"""The analyzers: reviews of a repository without a model."""

from collections.abc import Sequence
from pathlib import Path

from ..executor import Executor
from ..told import Told


def executors(_: Sequence[Path], __: Told) -> tuple[Executor, ...]:
    """Return the executors of this family; no file of the user's defines one."""
    from ..analyzers.review import ReviewExecutor

    return (ReviewExecutor(),)
