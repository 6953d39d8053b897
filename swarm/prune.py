"""Prune: removes ended requests, with what nothing else refers to."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from .fold import RequestHead, fold_request
from .log import decode, snapshot
from .subjects import REQUEST_ID, REQUEST_STEP, split_log_subject
from .swarm import Swarm

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """One request: how it stands, and since when."""

    head: RequestHead
    began: float
    """Server time of its first entry."""


async def read_endings(swarm: Swarm) -> dict[str, Ending]:
    """Return where every request of the log stands, at a message or two for each."""
    began: dict[str, float] = {}
    for followed in await swarm.log.index():
        began.setdefault(split_log_subject(followed.subject)[0], followed.at)
    found = {}
    own_entries = swarm.names.log_of("*", REQUEST_STEP)
    for followed in await snapshot(swarm.wire, swarm.names.log, own_entries, deliver="last_per_subject"):
        request = split_log_subject(followed.subject)[0]
        if not REQUEST_ID.fullmatch(request):
            continue  # anybody may publish on a subject like ours
        head = fold_request(RequestHead(), decode(followed), followed.seq, followed.at)
        found[request] = Ending(head, began.get(request, followed.at))
    return found


def ended_before(endings: Mapping[str, Ending], *, now: float, age: timedelta) -> list[str]:
    """Return the requests that ended longer ago than `age`; `now` is server time. Pure."""
    return sorted(
        request
        for request, ending in endings.items()
        if ending.head.terminal and now - ending.head.at > age.total_seconds()
    )


def oldest_open(endings: Mapping[str, Ending]) -> float | None:
    """Return when the oldest request that has not ended began; None: all have. Pure."""
    return min((e.began for e in endings.values() if not e.head.terminal), default=None)


async def remove_request(swarm: Swarm, request: str) -> int:
    """Remove an ended request's log, and what may be left of it in the queue; return its entries."""
    assert REQUEST_ID.fullmatch(request)  # it becomes a filter: anything else could mean all of them
    await swarm.queue.withdraw(request)
    answer = await swarm.wire.api(
        f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter(request)}
    )
    return int(answer.get("purged", 0))
