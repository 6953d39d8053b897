"""Spans: what is traced, as a block of code each; nothing is imported, and nothing done, where it is off."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

from . import names

Value = str | int | float | tuple[str, ...]


class Span(Protocol):
    """A span while it is open."""

    content: bool
    """Whether what models and tools are told and say may be recorded."""

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes."""
        ...


class Tracing(Protocol):
    """Makes spans; one for each open swarm."""

    def span(
        self, name: str, attributes: Mapping[str, Value], parent: str | None = None, *, client: bool = False
    ) -> AbstractContextManager[Span]:
        """Open a span below the `traceparent`, or the present one. `client`: of a call to another service."""
        ...

    def request(self, request: str, parent: str | None) -> AbstractContextManager[Span]:
        """Open a request's own span; it is told only once its state is set."""
        ...

    def traceparent(self) -> str | None:
        """Return where the present span stands."""
        ...

    def close(self) -> None:
        """Send what is left; blocks for some seconds at most."""
        ...


class _Nothing:
    content = False

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Nobody asked."""


_NOTHING = _Nothing()


class Off:
    """No tracing."""

    @contextmanager
    def span(
        self, name: str, attributes: Mapping[str, Value], parent: str | None = None, *, client: bool = False
    ) -> Iterator[Span]:
        """Run the block alone."""
        yield _NOTHING

    @contextmanager
    def request(self, request: str, parent: str | None) -> Iterator[Span]:
        """Run the block alone."""
        yield _NOTHING

    def traceparent(self) -> str | None:
        """Return None."""
        return None

    def close(self) -> None:
        """Nothing is left."""


OFF = Off()
PRESENT: ContextVar[Tracing] = ContextVar("tracing", default=OFF)
"""The tracing of the request or task that this code works for."""


def span(name: str, operation: str, attributes: Mapping[str, Value]) -> AbstractContextManager[Span]:
    """Open a span of the GenAI conventions below the present one."""
    told = {names.OPERATION: operation, **attributes}
    return PRESENT.get().span(f"{operation} {name}", told, client=operation == names.CHAT)


def traceparent() -> str | None:
    """Return where the present span stands; None without tracing."""
    return PRESENT.get().traceparent()
