"""Open requests: how many of them an H-id has, asked by a door before it adds one."""

import logging
from collections.abc import Collection
from datetime import timedelta

from ...errors import QueueFull, SwarmTimeout
from ..entries import Cancelled, Done, Failed
from ..log import decode, snapshot
from ..subjects import REQUEST_STEP, split_log_subject
from ..swarm import Swarm
from .record import SwarmLimits

log = logging.getLogger(__name__)

ANSWER = timedelta(seconds=1)
MOST_TOLD = 10_000
"""Ids in one question."""


async def check_open(swarm: Swarm, limits: SwarmLimits) -> None:
    """Raise QueueFull when as many requests are open as the quota allows.

    Doors that ask at the same moment do not see each other: by so many it may be exceeded.
    """
    most = limits.tenant_queued
    if most is None:
        return
    count = await count_open(swarm)
    if count >= most:
        raise QueueFull(
            f"queue full: {count} requests of {swarm.names.hid!r} are open and {most} may be (tenant.queued); "
            "nothing was submitted. Wait until one ends, or raise the quota by "
            "`picoclaw limits set tenant.queued=…`, then send it again"
        )


async def count_open(swarm: Swarm) -> int:
    """Return how many requests wait in the inbox or have been accepted and have not ended."""
    inbox = await swarm.inbox.ids()
    # One that has just been accepted may be in the inbox still: whoever answers counts it once.
    told = ",".join(sorted(inbox)) if len(inbox) <= MOST_TOLD else ""
    try:
        reply = await swarm.wire.request(swarm.names.open_requests, told.encode(), timeout=ANSWER)
        return int(reply.data) + (0 if told else len(inbox))
    except (SwarmTimeout, ValueError) as error:
        # Nobody coordinates: the log itself tells, at the cost of a message per request that it holds.
        log.debug("no coordinator told how many requests are open: %s", error)
    last = await snapshot(
        swarm.wire, swarm.names.log, swarm.names.log_of("*", REQUEST_STEP), deliver="last_per_subject"
    )
    accepted = {
        split_log_subject(one.subject)[0]
        for one in last
        if not isinstance(decode(one), Done | Failed | Cancelled)
    }
    return len(accepted | inbox)


def answer_open(accepted: Collection[str], question: bytes) -> bytes:
    """Return a coordinator's answer to a door that names what it found in the inbox."""
    inbox = {name for name in question.decode("ascii", "replace").split(",") if name}
    return str(len(inbox.union(accepted))).encode()
