"""The questions of agents as they stand, read and nothing more."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import RecordRefused
from ..foreign import warn_foreign
from ..kv import Bucket
from ..log import snapshot
from ..wire import NOT_FOUND, ApiError
from .record import ApprovalRecord

if TYPE_CHECKING:
    from ..swarm import Swarm

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it stands."""

    record: ApprovalRecord
    seq: int
    """What an answer expects."""


async def list_asked(swarm: "Swarm", request: str | None = None, step: str | None = None) -> list[Asked]:
    """Return the questions of everybody, a request or a task, the oldest first, answered ones too."""
    bucket = Bucket(swarm.wire, swarm.names.approvals)
    subject = bucket.subject(".".join([*filter(None, (request, step)), ">"]))
    try:
        stored = await snapshot(swarm.wire, bucket.stream, subject, deliver="last_per_subject")
    except ApiError as error:
        if error.code in NOT_FOUND:
            return []
        raise
    found = []
    for message in stored:
        record = read_record(message.subject, message.data) if message.data else None
        if record is not None:
            found.append(Asked(record, message.seq))
    return sorted(found, key=lambda asked: (asked.record.asked_at, asked.record.id))


async def read_waiting(swarm: "Swarm", now: float) -> Mapping[str, str]:
    """Return, by task, the id of a question that waits and what it asks; `now` is server time."""
    waiting = [asked.record for asked in await list_asked(swarm) if asked.record.open(now)]
    return {record.task: f"{record.id}: {record.text}" for record in waiting}


def read_record(subject: str, data: bytes) -> ApprovalRecord | None:
    """Return a stored question; None: it is none."""
    try:
        return ApprovalRecord.from_bytes(data)
    except RecordRefused as error:
        warn_foreign(log, subject, error)
        return None
