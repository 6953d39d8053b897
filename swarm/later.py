"""Requests that wait for their time: each a message of the inbox's stream that the server puts in itself."""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..errors import RecordRefused, SwarmError
from .foreign import warn_foreign
from .kv import Stored, last_message
from .records import Request
from .subjects import REQUEST_ID, SCHEDULE, SCHEDULE_TARGET, Names, split_log_subject
from .wire import Wire

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Messages read at the same time."""
_AT = re.compile(rb"^Nats-Schedule:\s*@at\s+(\S+?)\s*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Later:
    """A request that waits for its time, as its stand-in if it is large."""

    request: Request
    created_at: float
    """Server time, seconds since the epoch, as the next."""
    due_at: float


def later_headers(names: Names, request: Request, at: float) -> dict[str, str]:
    """Return what has the server put a request into the inbox at a time (seconds since the epoch)."""
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {SCHEDULE: f"@at {when}", SCHEDULE_TARGET: names.inbox(request.priority, request.id)}


async def read_later(
    wire: Wire, names: Names, request: str, *, patient: timedelta | None = None
) -> Later | None:
    """Return the request of this id that waits for its time; None where none does.

    `patient`: how long to ask while there is no leader.
    """
    stored = await last_message(wire, names.requests, names.later(request), patient=patient)
    return _read(stored, request) if stored is not None else None


async def list_later(wire: Wire, names: Names) -> list[Later]:
    """Return all requests that wait for their time, in no order; foreign messages are left out."""
    info = await wire.api(f"STREAM.INFO.{names.requests}", {"subjects_filter": names.wildcard("later")})
    ids = [split_log_subject(subject)[1] for subject in info["state"].get("subjects") or ()]
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(request: str) -> Later | None:
        async with gate:
            return await read_later(wire, names, request)

    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(read(request)) for request in ids if REQUEST_ID.fullmatch(request)]
    return [found for task in reading if (found := task.result()) is not None]


def _read(stored: Stored, request: str) -> Later | None:
    try:
        asked = Request.from_bytes(stored.data)
    except RecordRefused as error:
        warn_foreign(log, f"the place where {request} waits for its time", error)
        return None
    created = datetime.fromisoformat(stored.time).timestamp()
    found = _AT.search(stored.headers)
    try:
        due = datetime.fromisoformat(found[1].decode("ascii")).timestamp() if found else created
    except ValueError:
        due = created
    return Later(asked, created, due)


async def check_place(wire: Wire, names: Names, kind: str) -> None:
    """Raise SwarmError unless the inbox's stream takes schedules of a kind (`later`, `cron`)."""
    info = await wire.api(f"STREAM.INFO.{names.requests}")
    config: Mapping[str, object] = info["config"]
    subjects = config.get("subjects")
    there = isinstance(subjects, list) and names.wildcard(kind) in subjects
    if not (config.get("allow_msg_schedules") and there):
        raise SwarmError(
            "the swarm's store was made by an older version, and has no place for schedules yet: upgrade a "
            "node and start it, then try again; nothing was written"
        )
