"""Refuse: whether the first mistake ends everything, or all are heard."""

from collections.abc import Callable

from ..errors import ConfigError

Refuse = Callable[[ConfigError], None]
"""Hears of a mistake; when it returns, what is mistaken counts as not set."""


def raise_it(error: ConfigError) -> None:
    """Let the first mistake end everything."""
    raise error
