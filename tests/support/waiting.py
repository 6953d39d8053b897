"""Waiting for something to become true, with a limit. Prefer an event; poll where there is none."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, overload

T = TypeVar("T")

INTERVAL = 0.01


def wait_for(predicate: Callable[[], T | None], timeout: float = 10.0, what: str = "") -> T:
    """The first true value of `predicate`, asked every 10 ms; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_late(what, predicate, timeout, value))
        time.sleep(INTERVAL)


@overload
async def wait_for_async(
    predicate: Callable[[], Awaitable[T | None]], timeout: float = 10.0, what: str = ""
) -> T: ...
@overload
async def wait_for_async(predicate: Callable[[], T | None], timeout: float = 10.0, what: str = "") -> T: ...
async def wait_for_async(
    predicate: Callable[[], T | Awaitable[T | None] | None], timeout: float = 10.0, what: str = ""
) -> T:
    """As `wait_for`, letting the event loop run in between; `predicate` may be a coroutine function."""
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        value = cast("T | None", await answer if inspect.isawaitable(answer) else answer)
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_late(what, predicate, timeout, value))
        await asyncio.sleep(INTERVAL)


def _late(what: str, predicate: Callable[[], object], timeout: float, last: object) -> str:
    return f"not within {timeout:g} s: {what or predicate!r}; last seen: {last!r}"
