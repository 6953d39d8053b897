"""The analyzers: reviews of a repository without a model."""

from ..executor import Executor


def executors() -> tuple[Executor, ...]:
    """Return the executors of this family."""
    from ..analyzers.review import ReviewExecutor

    return (ReviewExecutor(),)
