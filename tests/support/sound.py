"""Sound: the whole log of a swarm is looked at by the checker, once its queues have run dry."""

import time
from collections.abc import Sequence

from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.checker import History, check, told
from picoclaw.tests.checker.collect import collect
from picoclaw.tests.support.waiting import wait_for_async

SETTLED = 10.0
"""Seconds in which the last acks have arrived."""


async def sound(swarm: Swarm, handed_in: Sequence[str], *, within: float = SETTLED) -> History:
    """Return the history; AssertionError with everything in it that must never be.

    `handed_in`: the requests that a door took.
    """
    began = time.monotonic()
    history = await collect(swarm, handed_in=handed_in)

    async def nothing_left() -> bool:
        nonlocal history
        if history.leftovers:
            history = await collect(swarm, handed_in=handed_in)
        return not history.leftovers or time.monotonic() - began > within

    await wait_for_async(nothing_left, within + 30)
    assert not (found := check(history)), told(found)
    return history
