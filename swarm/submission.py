"""Submission: how a door hands a request to the swarm and watches it to its end."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from nats.aio.msg import Msg
from pydantic import JsonValue

from ..errors import IdempotencyClash, RecordRefused, RequestLost, SwarmError, SwarmTimeout, UsageError
from .bodies import BODY_LIMIT, unpack_request, unpack_result
from .entries import Accepted, Cancelled, Done, Entry, Failed
from .fold import RequestHead, fold_request
from .follow import Followed, Follower
from .later import check_place, read_later
from .limits.open_requests import check_open
from .log import decode
from .records import Broadcast, Limited, Parent, RepositoryRef, Request, Result, Retried, Retry, read_json
from .same_request import same_request
from .subjects import REQUEST_STEP, request_id, split_log_subject
from .swarm import Swarm
from .tracing.spans import traceparent

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(milliseconds=250)
Unroutable = Literal["wait", "fail", "skip", "local"]
HAND_IN = timedelta(seconds=20)
"""How long a door asks whether a request is there already while a cluster has no leader."""


def new_request(
    text: str,
    *,
    key: str | None = None,
    demand: str | None = None,
    capability: str | None = None,
    repository: RepositoryRef | None = None,
    template: str | None = None,
    plan: Literal["model"] | None = None,
    workflow: JsonValue = None,
    input: dict[str, JsonValue] | None = None,
    priority: int = 1,
    deadline: timedelta | None = None,
    unroutable: Unroutable | None = None,
    max_attempts: int | None = None,
    task_timeout: timedelta | None = None,
    task_deadline: timedelta | None = None,
    retry: Retry | None = None,
    broadcast: Broadcast | None = None,
    retried: Retried | None = None,
    budget: Limited | None = None,
    parent: Parent | None = None,
    sender: str = "",
) -> Request:
    """Return a request; `key` makes sending it twice the same as sending it once.

    Raises UsageError for a text that is empty or over 32 MiB.
    """
    if not text.strip():
        raise UsageError("the request is empty: say what is to be done")
    if len(text) > BODY_LIMIT:
        raise UsageError(
            f"the request's text has {len(text) / 1e6:.0f} MB, the limit is {BODY_LIMIT / 1e6:.0f} MB: "
            "pass large inputs as a repository or a file"
        )
    identity, digest = request_id(key if key is not None else secrets.token_hex(16))
    return Request(
        id=identity,
        key_digest=digest,
        text=text,
        demand=demand,
        capability=capability,
        repository=repository,
        template=template,
        plan=plan,
        workflow=workflow,
        input=input or {},
        priority=priority,
        deadline_s=deadline.total_seconds() if deadline is not None else None,
        unroutable=unroutable,
        max_attempts=max_attempts,
        task_timeout_s=task_timeout.total_seconds() if task_timeout is not None else None,
        task_deadline_s=task_deadline.total_seconds() if task_deadline is not None else None,
        retry=retry,
        broadcast=broadcast,
        retried=retried,
        budget=budget,
        parent=parent,
        sender=sender,
        trace=traceparent(),
    )


async def submit(swarm: Swarm, request: Request, *, at: float | None = None) -> bool:
    """Hand a request in; return False when it had been handed in before.

    `at`: server time at which it is to begin, seconds since the epoch. Raises QueueFull,
    IdempotencyClash, UsageError, SwarmTimeout.
    """
    if at is not None:
        await check_place(swarm.wire, swarm.names, "later")
    # Asked at once: each answer takes as long as all the rest of handing it in.
    handed_in, fill, used, limits = await asyncio.gather(
        _handed_in(swarm, request),
        swarm.inbox.log_fill(patience=HAND_IN),
        swarm.inbox.used(patience=HAND_IN),
        swarm.live.read(patient=HAND_IN),
    )
    if handed_in:
        return False
    swarm.inbox.check_room(fill, used)
    await check_open(swarm, limits)
    if await swarm.inbox.submit(request, at=at):
        return True
    # Somebody handed one in at the same moment: it may have gone on to the log meanwhile.
    await _handed_in(swarm, request)
    return False


async def _handed_in(swarm: Swarm, request: Request) -> bool:
    """Return whether the request was handed in before; raise IdempotencyClash for another one."""
    head, waiting, later = await asyncio.gather(
        swarm.log.head(request.id, REQUEST_STEP, patient=HAND_IN),
        swarm.inbox.waiting(request.id, patient=HAND_IN),
        read_later(swarm.wire, swarm.names, request.id, patient=HAND_IN),
    )
    if head.seq:  # the usual case, that there is none, is told by a single read
        async for followed in swarm.log.history(request.id, REQUEST_STEP):
            entry = decode(followed)
            if isinstance(entry, Accepted):
                await _check_same(swarm, request, entry.request)
                return True
            if isinstance(entry, Cancelled):
                return True
    if waiting is None and later is not None:
        waiting = later.request
    if waiting is not None:
        await _check_same(swarm, request, waiting)
    return waiting is not None


async def _check_same(swarm: Swarm, ours: Request, theirs: Request) -> None:
    """Raise IdempotencyClash unless what stands there, whole or as its stand-in, is the same request."""
    try:
        theirs = await unpack_request(theirs, swarm.artifacts)
    except SwarmTimeout:
        raise
    except SwarmError:
        return  # its body has expired, and nothing but its key is left to compare
    if not same_request(ours, theirs):
        raise IdempotencyClash(
            f"the idempotency key of {ours.id} was used before for another request "
            f"({theirs.text[:60]!r}): choose another key"
        )


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An entry of the request's log."""

    step: str
    """`_` for the request itself."""
    entry: Entry
    seq: int
    at: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running job says of itself; may be lost."""

    step: str
    node: str
    message: str
    fraction: float | None


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of what a running agent says, as it comes; may be lost."""

    step: str
    node: str
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The request's end."""

    head: RequestHead
    result: Result | None
    """The report, whole, where there is one."""


Event = LogEvent | Progress | Said | Ended

MOST_WAITING = 10_000
"""Events that wait for a slow watcher; what comes on top, and may be lost, is."""


async def watch(swarm: Swarm, request: str) -> AsyncIterator[Event]:
    """Yield what happens to a request, from its beginning to its end.

    It survives reconnects; whoever stops listening changes nothing. Raises RequestLost when the server
    came back without what it held.
    """
    events: asyncio.Queue[LogEvent | Progress | Said | None] = asyncio.Queue()

    def on_lost() -> None:
        events.put_nowait(None)

    def on_log(followed: Followed) -> None:
        entry = decode(followed)
        if entry is not None:
            step = split_log_subject(followed.subject)[1]
            events.put_nowait(LogEvent(step, entry, followed.seq, followed.at))

    async def on_progress(message: Msg) -> None:
        told = _read_event(message)
        if told is not None and events.qsize() < MOST_WAITING:
            events.put_nowait(told)

    follower = Follower(
        swarm.wire,
        swarm.names.log,
        swarm.names.log_filter(request),
        deliver="all",
        on_reset=on_lost,
        on_gone=on_lost,
    )
    swarm.on_reconnect(follower.reconnected)
    subscription = await swarm.client.subscribe(swarm.names.event(request, "*"), cb=on_progress)
    task = swarm.tasks.start(follower.run(on_log), name=f"watch {request}")
    head = RequestHead()
    try:
        while True:
            event = await events.get()
            if event is None:
                if not await _is_known(swarm, request):
                    raise RequestLost(
                        f"nothing is known of {request} any more: the NATS server came back without its "
                        "store; send the request again"
                    )
                head = RequestHead()  # the log is read from its start again
                continue
            yield event
            if isinstance(event, LogEvent) and event.step == REQUEST_STEP:
                head = fold_request(head, event.entry, event.seq, event.at)
                if head.terminal:
                    yield Ended(head, await _report(swarm, event.entry))
                    return
    finally:
        task.cancel()
        swarm.off_reconnect(follower.reconnected)
        if not swarm.client.is_closed:
            await subscription.unsubscribe()


async def _is_known(swarm: Swarm, request: str) -> bool:
    """Return whether the log or the inbox holds a request; waits for a server that answers."""
    while True:
        try:
            head, waiting = await asyncio.gather(
                swarm.log.head(request, REQUEST_STEP), swarm.inbox.waiting(request)
            )
        except SwarmTimeout:
            await asyncio.sleep(ASK_AGAIN.total_seconds())
            continue
        return bool(head.seq) or waiting is not None


async def wait(swarm: Swarm, request: str, *, limit: timedelta | None = None) -> Ended:
    """Return a request's end.

    Raises SwarmTimeout past the limit (the request goes on), or RequestLost.
    """
    try:
        async with asyncio.timeout(limit.total_seconds() if limit else None):
            async for event in watch(swarm, request):
                if isinstance(event, Ended):
                    return event
    except TimeoutError:
        raise SwarmTimeout(
            f"{request} has not ended yet; look again with `picoclaw result {request}`"
        ) from None
    raise SwarmTimeout(f"{request} can no longer be watched; look again with `picoclaw result {request}`")


async def _report(swarm: Swarm, entry: Entry) -> Result | None:
    result = entry.result if isinstance(entry, Done | Failed | Cancelled) else None
    return await unpack_result(result, swarm.artifacts) if result is not None else None


def _read_event(message: Msg) -> Progress | Said | None:
    try:
        event = read_json(message.data, "the event")
        if event["kind"] == "said":
            return Said(split_log_subject(message.subject)[1], str(event["node"]), str(event["text"]))
        if event["kind"] != "progress":
            return None
        fraction = event.get("fraction")
        return Progress(
            split_log_subject(message.subject)[1],
            str(event["node"]),
            str(event["message"]),
            float(fraction) if fraction is not None else None,
        )
    except (RecordRefused, ValueError, KeyError, TypeError):
        log.debug("foreign event on %s", message.subject)
        return None
