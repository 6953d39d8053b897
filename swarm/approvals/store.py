"""The questions of agents in JetStream: asked once, answered once by compare-and-set, removed with their request."""

import asyncio
from collections.abc import Iterable

from ...errors import AppendRefused, NotFound, SwarmTimeout, UsageError
from ..kv import Bucket
from ..resolve import the_one
from ..server_time import server_time
from ..subjects import REQUEST_ID, Names
from ..swarm import Swarm
from ..wire import NOT_FOUND, PATIENCE, ApiError, NobodyListens, Wire
from .listing import Asked, list_asked, read_record
from .record import ApprovalRecord, Verdict

EXPIRED = "nobody answered in time"
AT_ONCE = 16
"""Tasks looked at at the same time."""


def _bucket(swarm: Swarm) -> Bucket:
    return Bucket(swarm.wire, swarm.names.approvals)


def key_of(record: ApprovalRecord) -> str:
    """Return the question's key in the bucket."""
    return f"{record.request}.{record.step}.{record.id}"


def subject_of(swarm: Swarm, record: ApprovalRecord) -> str:
    """Return where the question stands, for whoever waits for its answer."""
    return _bucket(swarm).subject(key_of(record))


async def ask(swarm: Swarm, record: ApprovalRecord) -> Asked:
    """Put a question there, or return it as it stands there already. Raises SwarmError."""
    bucket = _bucket(swarm)
    while True:
        stored, revision = await bucket.read(key_of(record), patient=PATIENCE)
        found = None if stored is None else read_record(bucket.subject(key_of(record)), stored.data)
        if found is not None and found.digest == record.digest:
            return Asked(found, revision)
        try:
            return Asked(record, await bucket.put(key_of(record), record.to_bytes(), expected=revision))
        except (AppendRefused, SwarmTimeout):
            continue  # somebody was first, or nobody knows whether this was written: the next look tells


async def answer(
    swarm: Swarm, asked: Asked, verdict: Verdict, *, by: str, why: str = "", always: bool = False, at: float
) -> ApprovalRecord:
    """Write the one answer; raises AppendRefused when somebody answered first."""
    said = {"verdict": verdict, "by": by, "why": why, "always": always, "answered_at": at}
    record = asked.record.model_copy(update=said)
    await _bucket(swarm).put(key_of(record), record.to_bytes(), expected=asked.seq)
    return record


async def expire(swarm: Swarm, asked: Asked, *, at: float) -> ApprovalRecord | None:
    """Deny a question whose time is over; None: somebody answered it at the same moment."""
    try:
        return await answer(swarm, asked, "deny", by="expiry", why=EXPIRED, at=at)
    except AppendRefused:
        return None


async def read(swarm: Swarm, record: ApprovalRecord) -> Asked | None:
    """Return a question as it stands now; None: it was removed."""
    stored, revision = await _bucket(swarm).read(key_of(record), patient=PATIENCE)
    found = None if stored is None else read_record(key_of(record), stored.data)
    return None if found is None else Asked(found, revision)


async def list_open(swarm: Swarm, request: str | None = None) -> list[Asked]:
    """Return the questions that wait for an answer and whose tasks are still under way, the oldest first."""
    now = await server_time(swarm)
    waiting = [asked for asked in await list_asked(swarm, request) if asked.record.open(now)]
    ended = await _ended(swarm, {(asked.record.request, asked.record.step) for asked in waiting})
    return [asked for asked in waiting if (asked.record.request, asked.record.step) not in ended]


async def _ended(swarm: Swarm, tasks: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def has_ended(request: str, step: str) -> bool:
        async with gate:
            head = await swarm.log.head(request, step)
            return head.terminal or head.seq == 0

    looked = list(tasks)
    async with asyncio.TaskGroup() as group:
        looking = [group.create_task(has_ended(request, step)) for request, step in looked]
    return {task for task, look in zip(looked, looking, strict=True) if look.result()}


async def decide(
    swarm: Swarm, typed: str, verdict: Verdict, *, by: str, why: str = "", always: bool = False
) -> ApprovalRecord:
    """Answer the question of an id, or of a beginning that fits no other.

    Raises NotFound, Ambiguous, and UsageError when it was answered, has expired, or its task has ended;
    then nothing was changed.
    """
    known = {asked.record.id: asked for asked in await list_asked(swarm)}
    asked = known[the_one(typed, known, "question", hint="see `picoclaw approvals list`")]
    record, now = asked.record, await server_time(swarm)
    if record.verdict is not None:
        said = f"by {record.by}" if record.by else ""
        raise UsageError(f"{record.id} was answered already: {record.verdict} {said}".rstrip())
    if now >= record.expires_at:
        raise UsageError(f"{record.id} has expired and counts as denied: the agent was told so")
    if await _ended(swarm, [(record.request, record.step)]):
        raise UsageError(f"{record.id}: its task {record.task} has ended; nothing waits for an answer")
    if verdict == "skip" and record.about != "uncertain":
        raise UsageError(
            f"{record.id} asks about {'a tool' if record.about == 'tool' else 'a budget'}: approve or deny it; "
            "only a step that is uncertain can be skipped"
        )
    if always and not record.rules:
        raise UsageError(f"{record.id} is asked by no rule of a policy: --always has nothing to go by")
    try:
        return await answer(swarm, asked, verdict, by=by, why=why, always=always, at=now)
    except AppendRefused:
        raise UsageError(
            f"{record.id} was answered by somebody else at the same moment: see `picoclaw approvals list --all`"
        ) from None
    except NobodyListens:
        raise NotFound("this swarm keeps no questions: upgrade its nodes") from None


async def remove_approvals(wire: Wire, names: Names, request: str) -> None:
    """Remove a request's questions."""
    if not REQUEST_ID.fullmatch(request):  # it becomes a filter: anything else could mean all of them
        raise NotFound(f"{request[:60]!r} is no request")
    bucket = Bucket(wire, names.approvals)
    try:
        await wire.api(f"STREAM.PURGE.{bucket.stream}", {"filter": bucket.subject(f"{request}.>")})
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
