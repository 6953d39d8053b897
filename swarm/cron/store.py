"""Schedules in the swarm: one message each, changed by compare-and-set on its own subject.

The message is record and timer in one: with the server's headers it fires, without them it is
disabled. What it fires lands in the inbox, on a subject of its own, so that firings which no
coordinator takes in time leave only the latest one.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime

from ...config.zones import zone_of
from ...errors import AppendRefused, NotFound, RecordRefused, ServerTooOld, SwarmError, UsageError
from ..bodies import INLINE_LIMIT
from ..foreign import warn_foreign
from ..kv import last_message
from ..later import check_place
from ..records import Request, new_id
from ..resolve import the_one
from ..same_request import same_request
from ..server_time import server_time
from ..server_version import format_version, parse_version
from ..subjects import EXPECTED_SUBJECT_SEQ, SCHEDULE, SCHEDULE_TARGET, SCHEDULE_ZONE
from ..swarm import Swarm
from ..wire import NOT_FOUND, WRONG_LAST_SEQUENCE, ApiError
from .pattern import pattern_of
from .record import Schedule
from .spec import Cron, parse_spec

log = logging.getLogger(__name__)

RECURRING = (2, 14, 0)
"""The first server with schedules that repeat, and with their time zones:
https://docs.nats.io/release-notes/whats_new/whats_new_214"""
AT_ONCE = 16
"""Schedules read at the same time."""
_ZONE_UNKNOWN = 10223
_GONE = frozenset({*NOT_FOUND, 10043, 10057})


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule as it stands in the swarm."""

    schedule: Schedule
    seq: int
    """What a change expects."""
    at: float
    """Server time of its last change."""


async def list_schedules(swarm: Swarm) -> list[Standing]:
    """Return all schedules by name; foreign messages are left out."""
    info = await swarm.wire.api(
        f"STREAM.INFO.{swarm.names.requests}", {"subjects_filter": swarm.names.wildcard("cron")}
    )
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(subject: str) -> Standing | None:
        async with gate:
            return await _read(swarm, subject)

    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(read(subject)) for subject in info["state"].get("subjects") or ()]
    found = [standing for task in reading if (standing := task.result()) is not None]
    return sorted(found, key=lambda standing: standing.schedule.name)


async def find_schedule(swarm: Swarm, typed: str, *, whole: bool = False) -> Standing:
    """Return the schedule of a name, or of a beginning that fits no other; raises NotFound, Ambiguous.

    `whole`: a beginning is not enough, as for what cannot be taken back.
    """
    named = await read_schedule(swarm, typed)
    if named is not None:
        return named
    known = {standing.schedule.name: standing for standing in await list_schedules(swarm)}
    if whole and (begun := sorted(name for name in known if name.startswith(typed))):
        raise NotFound(
            f"no recurring request is called {typed[:80]!r}: give the whole name, such as {begun[0]!r}"
        )
    return known[the_one(typed, known, "recurring request", hint="see `picoclaw cron list`")]


async def read_schedule(swarm: Swarm, name: str) -> Standing | None:
    """Return the schedule of this name; None where there is none."""
    return await _read(swarm, swarm.names.cron(name))


async def _read(swarm: Swarm, subject: str) -> Standing | None:
    stored = await last_message(swarm.wire, swarm.names.requests, subject)
    if stored is None:
        return None
    try:
        schedule = Schedule.from_bytes(stored.data)
    except RecordRefused as error:
        warn_foreign(log, subject, error)
        return None
    return Standing(schedule, stored.seq, datetime.fromisoformat(stored.time).timestamp())


async def create_schedule(
    swarm: Swarm, name: str, spec: str, zone: str, request: Request, *, by: str = "", replace: bool = False
) -> tuple[Standing, bool]:
    """Set a recurring request; return it, and False where the very same stood there already.

    `request`: what is asked each time; its id and key count for nothing. Raises UsageError for a spec,
    time zone or request that cannot recur, or, unless `replace`, a name that another one has;
    ServerTooOld before anything is written, AppendRefused when somebody changed it meanwhile.
    """
    parse_spec(spec)
    zone_of(zone)
    check_recurring(request)
    await check_server(swarm)
    stands = await read_schedule(swarm, name)
    now = await server_time(swarm)
    template = request.model_copy(update={"id": "", "key_digest": ""})
    schedule = Schedule(
        name=name, spec=spec, zone=zone, request=template, created_at=now, created_by=by, changed_at=now,
        changed_by=by,
    )  # fmt: skip
    if stands is not None:
        old = stands.schedule
        if (old.name, old.spec, old.zone) == (name, spec, zone) and _same(old.request, template):
            return stands, False
        if not replace:
            raise UsageError(
                f"a recurring request is called {name!r} already ({old.spec}, {old.request.text[:60]!r}): "
                "choose another name, or change that one with --replace"
            )
        kept = {"created_at": old.created_at, "created_by": old.created_by, "enabled": old.enabled}
        schedule = schedule.model_copy(update=kept)
    written = await _write(swarm, schedule, expected=stands.seq if stands is not None else 0)
    if stands is not None:
        await _drop_fired(swarm, name)
    return written, True


async def enable_schedule(swarm: Swarm, standing: Standing, *, enabled: bool, by: str = "") -> Standing:
    """Let a recurring request come, or come no more; raises AppendRefused when somebody changed it."""
    if enabled:
        await check_server(swarm)
    changed = {
        "enabled": enabled, "edit": new_id(), "changed_at": await server_time(swarm), "changed_by": by,
    }  # fmt: skip
    written = await _write(swarm, standing.schedule.model_copy(update=changed), expected=standing.seq)
    if not enabled:
        await _drop_fired(swarm, standing.schedule.name)
    return written


async def delete_schedule(swarm: Swarm, standing: Standing) -> None:
    """Remove a recurring request; what it has started goes on. Raises AppendRefused when it was changed."""
    try:
        await swarm.wire.api(f"STREAM.MSG.DELETE.{swarm.names.requests}", {"seq": standing.seq})
    except ApiError as error:
        if error.code not in _GONE:
            raise
        raise _changed(standing.schedule.name) from None
    await _drop_fired(swarm, standing.schedule.name)


def check_recurring(request: Request) -> None:
    """Raise UsageError for a request that cannot come again: one with a copy of a folder in it."""
    inputs = request.model_dump_json(include={"input"})
    if (request.repository is not None and request.repository.snapshot is not None) or (
        '"snapshot"' in inputs and '"digest"' in inputs
    ):
        raise UsageError(
            "a recurring request cannot carry a copy of a folder: it would be the same old copy each time; "
            "name a git URL with --repo"
        )
    size = len(request.to_bytes())
    if size > INLINE_LIMIT // 2:
        raise UsageError(
            f"a recurring request has {INLINE_LIMIT // 2048} KiB at most, and this one {size // 1024} KiB: put "
            "what is large into a workflow or a repository, and name that"
        )


async def check_server(swarm: Swarm) -> None:
    """Raise ServerTooOld or SwarmError unless schedules can stand here; nothing is written."""
    version = parse_version(str(swarm.client._server_info.get("version", "")))
    check_version(version)
    await check_place(swarm.wire, swarm.names, "cron")


def check_version(version: tuple[int, int, int]) -> None:
    """Raise ServerTooOld for a server whose schedules do not repeat."""
    if version < RECURRING:
        raise ServerTooOld(
            f"the NATS server is version {format_version(version)}, and recurring requests need "
            f"{format_version(RECURRING)} or later: update it; nothing was written"
        )


def _same(ours: Request, theirs: Request) -> bool:
    timing = (ours.priority, ours.deadline_s) == (theirs.priority, theirs.deadline_s)
    return timing and same_request(ours, theirs) and ours.repository == theirs.repository


async def _write(swarm: Swarm, schedule: Schedule, *, expected: int) -> Standing:
    headers = {EXPECTED_SUBJECT_SEQ: str(expected)}
    if schedule.enabled:
        spec = parse_spec(schedule.spec)
        pattern = pattern_of(spec, zone_of(schedule.zone), schedule.changed_at)
        schedule = schedule.model_copy(update={"thinned": pattern.thinned and isinstance(spec, Cron)})
        target = swarm.names.fired(schedule.request.priority, schedule.name)
        headers |= {SCHEDULE: pattern.schedule, SCHEDULE_TARGET: target}
        headers |= {SCHEDULE_ZONE: pattern.zone} if pattern.zone is not None else {}
    try:
        seq = await swarm.wire.store(swarm.names.cron(schedule.name), schedule.to_bytes(), headers=headers)
        return Standing(schedule, seq, schedule.changed_at)
    except ApiError as error:
        if error.code == WRONG_LAST_SEQUENCE:
            raise _changed(schedule.name) from None
        if error.code == _ZONE_UNKNOWN:
            raise UsageError(
                f"the NATS server does not know time zone {schedule.zone!r}: install its tz database there "
                "(package tzdata), or use --tz UTC"
            ) from None
        raise SwarmError(f"the recurring request was refused: {error}") from None


async def _drop_fired(swarm: Swarm, name: str) -> None:
    """Take away a firing that no coordinator has taken yet."""
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.requests}", {"filter": swarm.names.fired_of(name)})


def _changed(name: str) -> AppendRefused:
    return AppendRefused(
        f"recurring request {name!r} was changed by somebody else at the same moment: look at it with "
        "`picoclaw cron describe`, then try again"
    )
