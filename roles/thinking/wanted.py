"""While wanted: work for a request that ends as soon as nobody wants it any more."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from ...errors import ModelRefused
from ..ledger import Ledger

LOOK = timedelta(milliseconds=250)

T = TypeVar("T")


async def while_wanted(ledger: Ledger, work: Coroutine[Any, Any, T], *, patience: timedelta) -> T | None:
    """Return what the work brings; None where the request is to end, or its deadline passed, before that.

    Raises Fenced when somebody else owns the request, ModelRefused past the patience, and what the work
    raises.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    until = loop.time() + patience.total_seconds()
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=LOOK.total_seconds())
            if done:
                return task.result()
            ledger.check_ownership()
            if ledger.head.cancelling or ledger.head.terminal or ledger.past_deadline:
                return None
            if loop.time() > until:
                raise ModelRefused(f"the model took over {patience.total_seconds():g} s altogether")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
