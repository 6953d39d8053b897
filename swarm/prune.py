"""Prune: removes ended requests, with what nothing else refers to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from .approvals.store import remove_approvals
from .entries import Accepted
from .fold import RequestHead, fold_request
from .follow import Followed
from .journal import remove_journals
from .log import decode, scan
from .pause import remove_pause
from .sharing.accounts import remove_accounts
from .sharing.blackboard import remove_board
from .subjects import FIRED, REQUEST_ID, REQUEST_STEP, split_log_subject
from .swarm import Swarm

READ = timedelta(minutes=2)
"""Longest time in which the log may be read through."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One request: how it stands, and since when."""

    head: RequestHead
    began: float
    """Server time of its first entry."""


async def read_endings(swarm: Swarm) -> dict[str, Ending]:
    """Return where every request of the log stands, at a message or two for each; none is kept."""
    names, began, found = swarm.names, dict[str, float](), dict[str, Ending]()

    def begins(followed: Followed) -> None:
        began.setdefault(split_log_subject(followed.subject)[0], followed.at)

    def stands(followed: Followed) -> None:
        request = split_log_subject(followed.subject)[0]
        if REQUEST_ID.fullmatch(request):  # anybody may publish on a subject like ours
            head = fold_request(RequestHead(), decode(followed), followed.seq, followed.at)
            found[request] = Ending(head, began.get(request, followed.at))

    own = names.log_of("*", REQUEST_STEP)
    await scan(swarm.wire, names.log, own, begins, deliver="all", headers_only=True, timeout=READ)
    await scan(swarm.wire, names.log, own, stands, deliver="last_per_subject", timeout=READ)
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


async def settled(swarm: Swarm, requests: Iterable[str]) -> list[str]:
    """Return those of some ended requests whose message has left the inbox, in order.

    An acknowledgement may be lost: without the log, what is delivered again would be a new request.
    """
    wanted, inbox = sorted(requests), await swarm.inbox.ids()
    gone = [request for request in wanted if request not in inbox]
    fired = {name for name in inbox if name.startswith(FIRED)}
    return [request for request in gone if not (fired and await _fired_as(swarm, request) in fired)]


async def _fired_as(swarm: Swarm, request: str) -> str:
    """Return the last token of what a schedule put into the inbox for a request; empty: none did."""
    async for followed in swarm.log.history(request, REQUEST_STEP):
        entry = decode(followed)
        if isinstance(entry, Accepted):
            firing = entry.request.firing
            return swarm.names.fired_of(firing.schedule).rpartition(".")[2] if firing is not None else ""
    return ""


async def remove_request(swarm: Swarm, request: str) -> int:
    """Remove an ended request's log, journals, blackboard and accounts, and what may be left of it in the queue; return its entries.

    One that has not ended stays: somebody else may have removed it in between, and another sent it again.
    """
    assert REQUEST_ID.fullmatch(request)  # it becomes a filter: anything else could mean all of them
    if not (await swarm.log.head(request, REQUEST_STEP)).terminal:
        return 0
    await swarm.queue.withdraw(request)
    # Before the log: what is left of a request whose log has gone would be found by nobody.
    await remove_journals(swarm, request)
    await remove_board(swarm.wire, swarm.names, request)
    await remove_approvals(swarm.wire, swarm.names, request)
    await remove_accounts(swarm.wire, swarm.names, request)
    await remove_pause(swarm, request)
    answer = await swarm.wire.api(
        f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter(request)}
    )
    return int(answer.get("purged", 0))
