"""Look: read what a view needs, once, without being a node and without deciding anything."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..errors import RecordRefused, SwarmError, UsageError
from .approvals.listing import read_waiting
from .bodies import unpack_plan, unpack_request
from .demand import parse_demand
from .entries import Accepted, Cancelled, Planned
from .fold import RequestHead, TaskHead, fold_request
from .follow import Followed
from .kv import last_message
from .lanes import lane_key, level_of
from .later import list_later, read_later
from .limits.look import read_held_to
from .log import decode
from .pause import read_pauses
from .records import Plan, Request
from .server_time import server_time
from .subjects import REQUEST_ID, REQUEST_STEP, split_log_subject
from .swarm import Swarm
from .views.nodes import Around, node_row, seen_status
from .views.requests import RequestState, last_head
from .views.waiting import LanePlace
from .wire import NOT_FOUND, ApiError

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Requests read at the same time."""
BULK = 200
"""Requests from which on the whole log is read at once."""
MOST_PROBED = 100
"""Nodes probed in one look: one second's allowance."""
LARGEST_LANE = 500
"""Waiting tasks up to which a place in the lane is worked out."""


async def look_around(swarm: Swarm, *, probe: bool = True) -> Around:
    """Return who is there by stored heartbeats and, with `probe`, by asking each once.

    Of more than 100 nodes those are asked that have been silent for longest.
    """
    try:
        await swarm.read_members()
    except ApiError as error:
        # The table lives in memory: after a restart of the server it comes with the first node.
        if error.code not in NOT_FOUND:
            raise
    if probe:
        now = asyncio.get_running_loop().time()
        there = [m for m in swarm.members.table.values() if seen_status(m.sign, now)[0] != "offline"]
        there.sort(key=lambda member: member.sign.last_heard)
        await swarm.members.probe_all(member.beat.node for member in there[:MOST_PROBED])
    await server_time(swarm)
    around = rows_now(swarm)
    held_to, asks, paused = await asyncio.gather(
        read_held_to(swarm), read_waiting(swarm, around.now), read_pauses(swarm)
    )
    return replace(around, held_to=held_to, asks=asks, paused=paused)


def rows_now(swarm: Swarm) -> Around:
    """Return who is there by what this process knows already; nothing is asked."""
    now = asyncio.get_running_loop().time()
    rows = [node_row(member.beat, member.sign, now) for member in swarm.members.table.values()]
    return Around(nodes=tuple(sorted(rows, key=lambda row: row.name)), now=swarm.members.server.now())


@dataclass(frozen=True, slots=True)
class Listed:
    """A request of which only its id and the time of its first entry are known."""

    id: str
    created_at: float
    priority: int | None = None
    """Set while it waits in the inbox."""


async def list_requests(swarm: Swarm) -> list[Listed]:
    """Return all requests, newest first; those in the inbox come first, in no order."""
    first: dict[str, Listed] = {}
    for followed in await swarm.log.index():
        request, _ = split_log_subject(followed.subject)
        if REQUEST_ID.fullmatch(request):  # anybody may publish on a subject like ours
            first.setdefault(request, Listed(request, followed.at))
    waiting = [listed for listed in await _list_inbox(swarm) if listed.id not in first]
    for later in await list_later(swarm.wire, swarm.names):
        first.setdefault(later.request.id, Listed(later.request.id, later.created_at))
    return waiting + sorted(first.values(), key=lambda listed: listed.created_at, reverse=True)


async def _list_inbox(swarm: Swarm) -> list[Listed]:
    info = await swarm.wire.api(
        f"STREAM.INFO.{swarm.names.requests}", {"subjects_filter": swarm.names.wildcard("request")}
    )
    found = []
    for subject in info["state"].get("subjects") or {}:
        priority, request = split_log_subject(subject)
        if REQUEST_ID.fullmatch(request) and priority.isdecimal():
            found.append(Listed(request, 0.0, int(priority)))
    return found


async def read_requests(swarm: Swarm, listed: Sequence[Listed]) -> list[RequestState]:
    """Return where some requests stand, newest first; one that was purged meanwhile is left out."""
    whole = await _read_whole_log(swarm) if len(listed) > BULK else None
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(one: Listed) -> RequestState | None:
        async with gate:
            if whole is not None and one.priority is None and (parts := whole.get(one.id)):
                return await _state(swarm, one.id, parts)
            return await read_request(swarm, one.id, priority=one.priority)

    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(read(one)) for one in listed]
    found = [state for state in (task.result() for task in reading) if state is not None]
    return sorted(found, key=lambda state: state.created_at, reverse=True)


async def read_request(swarm: Swarm, request: str, *, priority: int | None = None) -> RequestState | None:
    """Return where a request stands; None when neither log nor inbox has it.

    `priority`: look in the inbox first, at this level.
    """
    state = await _in_inbox(swarm, request, (priority,)) if priority is not None else None
    history = [followed async for followed in swarm.log.history(request, REQUEST_STEP)]
    if history:
        heads = await swarm.log.heads(request)
        parts = _Parts(history, {step: last for (_, step), last in heads.items() if step != REQUEST_STEP})
        return await _state(swarm, request, parts)
    return state or await _in_inbox(swarm, request, (0, 1, 2, 3)) or await _waiting(swarm, request)


@dataclass(slots=True)
class _Parts:
    """What the log holds of a request: its own messages, and the last one of each task."""

    history: list[Followed] = field(default_factory=list)
    last: dict[str, Followed] = field(default_factory=dict)


async def _read_whole_log(swarm: Swarm) -> dict[str, _Parts]:
    """Read every request at once, which for many costs far less than each by itself."""
    found: dict[str, _Parts] = defaultdict(_Parts)
    for (request, step), last in (await swarm.log.heads()).items():
        if step != REQUEST_STEP:
            found[request].last[step] = last
    async for followed in swarm.log.history("*", REQUEST_STEP):
        found[split_log_subject(followed.subject)[0]].history.append(followed)
    return {request: parts for request, parts in found.items() if parts.history}


async def _state(swarm: Swarm, request: str, parts: _Parts) -> RequestState:
    head, asked, planned, text = RequestHead(), None, None, ""
    for followed in parts.history:
        entry = decode(followed)
        head = fold_request(head, entry, followed.seq, followed.at)
        if isinstance(entry, Accepted):
            asked = entry.request
        elif isinstance(entry, Planned):
            planned = entry
        elif isinstance(entry, Cancelled):
            text = entry.text or ""
    return RequestState(
        id=request,
        created_at=parts.history[0].at,
        head=head,
        request=await _whole_request(swarm, asked) if asked is not None else None,
        text=text,
        plan=await _plan(swarm, planned) if planned is not None else None,
        heads={step: await _head(swarm, request, step, last) for step, last in parts.last.items()},
    )


async def _whole_request(swarm: Swarm, asked: Request) -> Request:
    try:
        return await unpack_request(asked, swarm.artifacts)
    except (RecordRefused, SwarmError) as error:
        # Its stand-in says enough to list it; one damaged body must not hide everything else.
        log.warning("body of %s not read: %s", asked.id, error)
        return asked


async def _plan(swarm: Swarm, planned: Planned) -> Plan | None:
    try:
        return await unpack_plan(planned, swarm.artifacts)
    except (RecordRefused, SwarmError) as error:
        log.warning("plan not read: %s", error)
        return None


async def _head(swarm: Swarm, request: str, step: str, followed: Followed) -> TaskHead:
    entry = decode(followed)
    if entry is None:
        return await swarm.log.head(request, step)
    return last_head(entry, followed.seq, followed.at)


async def _in_inbox(swarm: Swarm, request: str, levels: Iterable[int]) -> RequestState | None:
    for level in levels:
        stored = await last_message(swarm.wire, swarm.names.requests, swarm.names.inbox(level, request))
        if stored is None:
            continue
        try:
            asked = await _whole_request(swarm, Request.from_bytes(stored.data))
        except RecordRefused:
            continue  # a coordinator will refuse it in words
        at = datetime.fromisoformat(stored.time).timestamp()
        return RequestState(id=request, created_at=at, request=asked)
    return None


async def _waiting(swarm: Swarm, request: str) -> RequestState | None:
    later = await read_later(swarm.wire, swarm.names, request)
    if later is None:
        return None
    asked = await _whole_request(swarm, later.request)
    return RequestState(id=request, created_at=later.created_at, request=asked, due_at=later.due_at)


async def place_in_lane(swarm: Swarm, request: str, step: str, head: TaskHead) -> LanePlace | None:
    """Return where a queued task stands in its lane; None when it is not there."""
    try:
        demand = parse_demand(head.demand)
    except UsageError:
        return None
    key, level = lane_key(demand), level_of(demand, head.priority)
    subject = swarm.names.task(key, head.priority, request, step)
    mine = await last_message(swarm.wire, swarm.names.tasks, subject)
    try:
        info = await swarm.wire.api(
            f"CONSUMER.INFO.{swarm.names.tasks}.{swarm.names.lane_consumer(key, level)}"
        )
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return None
    waiting, in_flight = int(info["num_pending"]), int(info["num_ack_pending"])
    delivered = int(info["delivered"]["stream_seq"])
    position = None
    if mine is not None and mine.seq > delivered:
        ahead = await _ahead(swarm, swarm.names.lane_filter(key, level), delivered, mine.seq)
        position = ahead + 1 if waiting <= LARGEST_LANE else None
    return LanePlace(position=position, waiting=waiting, in_flight=in_flight)


async def _ahead(swarm: Swarm, lane: str, after: int, before: int) -> int:
    """Count the messages of a lane between two sequences, up to what is worth counting."""
    count, seq = 0, after + 1
    while count <= LARGEST_LANE:
        try:
            answer = await swarm.wire.api(
                f"STREAM.MSG.GET.{swarm.names.tasks}", {"seq": seq, "next_by_subj": lane}
            )
        except ApiError as error:
            if error.code not in NOT_FOUND:
                raise
            return count
        found = int(answer["message"]["seq"])
        if found >= before:
            return count
        count, seq = count + 1, found + 1
    return count
