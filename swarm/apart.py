"""Apart: blocking work in a thread that nobody has to wait for, not even the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def apart(work: Callable[[], T], *, name: str) -> asyncio.Future[T]:
    """Run blocking work in a thread of its own; the future has what it returns or raises.

    For what may hang in the kernel, as on a disk of the network: a pool's threads are waited for when
    the loop ends, and a few that hang would be all that it has. To cancel the future leaves the thread.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        outcome.set_running_or_notify_cancel()
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, who awaits it has to hear of it
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return asyncio.wrap_future(outcome)
