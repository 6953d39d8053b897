"""How a child process of the bench says that it is ready."""

from collections.abc import Callable

Ready = Callable[[], None]
