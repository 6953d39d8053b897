"""Pause: a request whose agents wait before their next step; it stands in the registry until somebody ends it."""

import logging
from collections.abc import Mapping
from typing import ClassVar

from ..errors import AppendRefused, RecordRefused
from .foreign import warn_foreign
from .kv import Bucket
from .log import snapshot
from .records import Record
from .swarm import Swarm
from .wire import NOT_FOUND, PATIENCE, ApiError

log = logging.getLogger(__name__)


class PauseRecord(Record):
    """Who paused a request, and why."""

    kind_name: ClassVar[str] = "pause"
    request: str
    by: str = ""
    why: str = ""
    since: float
    """Server time."""


def _key(request: str) -> str:
    return f"pause.{request}"


def pause_subject(swarm: Swarm, request: str) -> tuple[str, str]:
    """Return the stream and the subject on which a pause comes and goes."""
    bucket = Bucket(swarm.wire, swarm.names.registry)
    return bucket.stream, bucket.subject(_key(request))


async def read_pause(swarm: Swarm, request: str) -> PauseRecord | None:
    """Return the pause of a request; None: it goes on. Raises SwarmError, RecordRefused."""
    stored, _ = await Bucket(swarm.wire, swarm.names.registry).read(_key(request), patient=PATIENCE)
    return PauseRecord.from_bytes(stored.data) if stored is not None else None


async def read_pauses(swarm: Swarm) -> Mapping[str, str]:
    """Return, by request, in words who holds it, and why."""
    bucket = Bucket(swarm.wire, swarm.names.registry)
    try:
        stored = await snapshot(
            swarm.wire, bucket.stream, bucket.subject(_key("*")), deliver="last_per_subject"
        )
    except ApiError as error:
        if error.code in NOT_FOUND:
            return {}
        raise
    found: dict[str, str] = {}
    for message in stored:
        if not message.data:
            continue
        try:
            record = PauseRecord.from_bytes(message.data)
        except RecordRefused as error:
            warn_foreign(log, message.subject, error)
            continue
        found[record.request] = in_words(record)
    return found


def in_words(record: PauseRecord) -> str:
    """Return who holds a request, and why."""
    why = f": {record.why}" if record.why else ""
    return f"paused by {record.by or 'a person'}{why}"


async def pause_request(swarm: Swarm, record: PauseRecord) -> bool:
    """Pause a request; False: it was paused already, and stays so."""
    bucket = Bucket(swarm.wire, swarm.names.registry)
    while True:
        stored, revision = await bucket.read(_key(record.request))
        if stored is not None:
            return False
        try:
            await bucket.put(_key(record.request), record.to_bytes(), expected=revision)
        except AppendRefused:
            continue  # somebody was first: look what it is now
        return True


async def resume_request(swarm: Swarm, request: str) -> bool:
    """Let a request go on; False: it was not paused."""
    bucket = Bucket(swarm.wire, swarm.names.registry)
    while True:
        stored, revision = await bucket.read(_key(request))
        if stored is None:
            return False
        try:
            await bucket.delete(_key(request), expected=revision)
        except AppendRefused:
            continue
        return True


async def remove_pause(swarm: Swarm, request: str) -> None:
    """Remove what is left of a request's pauses."""
    stream, subject = pause_subject(swarm, request)
    await swarm.wire.api(f"STREAM.PURGE.{stream}", {"filter": subject})
