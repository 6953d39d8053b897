"""The agents in the registry: read, written by compare-and-set, followed by every node."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ...errors import AppendRefused, NotFound, RecordRefused, UsageError
from ..follow import Followed
from ..foreign import warn_foreign
from ..kv import Bucket, is_deleted, last_message
from ..resolve import the_one
from ..server_time import server_time
from ..subjects import token
from ..swarm import Swarm, within
from ..wire import NOT_FOUND, ApiError, NobodyListens
from .record import AgentRecord

log = logging.getLogger(__name__)

_PREFIX = "agent."
MOST = 1000
"""Agents that one H-id may have."""


def key_of(name: str) -> str:
    """Return an agent's key in the registry."""
    return _PREFIX + token(name)


@dataclass(frozen=True, slots=True)
class Registered:
    """An agent as it stands in the registry."""

    record: AgentRecord
    seq: int
    """What a change expects."""
    at: float
    """Server time of its last change."""


def _bucket(swarm: Swarm) -> Bucket:
    return Bucket(swarm.wire, swarm.names.registry)


async def list_agents(swarm: Swarm) -> list[Registered]:
    """Return all agents by name; foreign messages are left out."""
    bucket = _bucket(swarm)
    try:
        info = await swarm.wire.api(
            f"STREAM.INFO.{bucket.stream}", {"subjects_filter": bucket.subject(_PREFIX + "*")}
        )
    except ApiError as error:
        if error.code in NOT_FOUND:
            return []
        raise
    found = [await _read(swarm, subject) for subject in list(info["state"].get("subjects") or ())[:MOST]]
    return sorted((one for one in found if one is not None), key=lambda one: one.record.name)


async def find_agent(swarm: Swarm, typed: str, *, whole: bool = False) -> Registered:
    """Return the agent of a name, or of a beginning that fits no other; raises NotFound, Ambiguous.

    `whole`: a beginning is not enough, as for what cannot be taken back.
    """
    named = await read_agent(swarm, typed)
    if named is not None:
        return named
    known = {one.record.name: one for one in await list_agents(swarm)}
    if whole and (begun := sorted(name for name in known if name.startswith(typed))):
        raise NotFound(f"no agent is called {typed[:80]!r}: give the whole name, such as {begun[0]!r}")
    return known[the_one(typed, known, "agent", hint="see `picoclaw get agents`")]


async def read_agent(swarm: Swarm, name: str) -> Registered | None:
    """Return the agent of this name; None where the registry has none."""
    return await _read(swarm, _bucket(swarm).subject(key_of(name)))


async def _read(swarm: Swarm, subject: str) -> Registered | None:
    stored = await last_message(swarm.wire, f"KV_{swarm.names.registry}", subject)
    if stored is None or is_deleted(stored):
        return None
    try:
        record = _record(subject, stored.data)
    except RecordRefused as error:
        warn_foreign(log, subject, error)
        return None
    return Registered(record, stored.seq, datetime.fromisoformat(stored.time).timestamp())


def _record(subject: str, data: bytes) -> AgentRecord:
    """Return the agent that stands on a subject. Raises RecordRefused for one that is called otherwise."""
    record = AgentRecord.from_bytes(data)
    if not subject.endswith(f".{key_of(record.name)}"):
        raise RecordRefused(f"agent {record.name[:80]!r} stands where another one belongs: remove it there")
    return record


async def write_agent(
    swarm: Swarm, record: AgentRecord, *, by: str = "", replace: bool = False
) -> tuple[Registered, bool]:
    """Register an agent; return it, and False where the very same stood there already.

    Raises UsageError, unless `replace`, for a name that another one has, and AppendRefused when somebody
    changed it meanwhile.
    """
    bucket = _bucket(swarm)
    now = await server_time(swarm)
    stored, expected = await bucket.read(key_of(record.name))
    before = None
    if stored is not None:
        try:
            before = AgentRecord.from_bytes(stored.data)
        except RecordRefused as error:
            if not replace:
                raise UsageError(f"agent {record.name!r}: {error}; --replace writes over it") from None
    new = record.model_copy(
        update={"created_at": before.created_at, "created_by": before.created_by}
        if before is not None
        else {"created_at": now, "created_by": by}
    )
    if stored is not None and before is not None and before.to_bytes() == new.to_bytes():
        return Registered(new, expected, datetime.fromisoformat(stored.time).timestamp()), False
    if stored is not None and not replace:
        raise UsageError(
            f"there is an agent {record.name!r} already and it is another one: choose another name, or give "
            f"--replace; see `picoclaw describe agent {record.name}`"
        )
    try:
        seq = await bucket.put(key_of(record.name), new.to_bytes(), expected=expected)
    except NobodyListens:
        raise NotFound("this swarm has no registry yet: start a node first") from None
    return Registered(new, seq, now), True


async def delete_agent(swarm: Swarm, registered: Registered) -> None:
    """Remove an agent; raises AppendRefused when somebody changed it meanwhile."""
    await _bucket(swarm).delete(key_of(registered.record.name), expected=registered.seq)


class AgentRegistry:
    """The registered agents as they stand now, in one process that follows them."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._agents: dict[str, AgentRecord] = {}
        self._listeners: list[Callable[[], None]] = []

    @property
    def agents(self) -> Mapping[str, AgentRecord]:
        """The agents by their key."""
        return dict(self._agents)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever an agent came, went or changed."""
        self._listeners.append(listener)

    async def follow(self) -> None:
        """Keep the agents current as long as the swarm is open; returns once they are known."""
        bucket = _bucket(self._swarm)
        caught_up = self._swarm.follow(
            bucket.stream, bucket.subject(_PREFIX + "*"), self._take, on_reset=self._agents.clear
        )
        await within(caught_up.wait(), "the agents of the registry")

    async def register(self, record: AgentRecord, *, by: str) -> Literal["new", "same", "another"]:
        """Register an agent unless one of its name stands there; return how it was.

        Raises SwarmError when it cannot be written.
        """
        there = self._agents.get(key_of(record.name))
        if there is None:
            try:
                try:
                    _, new = await write_agent(self._swarm, record, by=by)
                except AppendRefused:  # another node was faster, perhaps with the very same file
                    _, new = await write_agent(self._swarm, record, by=by)
            except (UsageError, AppendRefused):
                return "another"
            return "new" if new else "same"
        created = {"created_at": there.created_at, "created_by": there.created_by}
        return "same" if record.model_copy(update=created).to_bytes() == there.to_bytes() else "another"

    def _take(self, followed: Followed) -> None:
        key = _PREFIX + followed.subject.rsplit(".", 1)[-1]
        before = self._agents.get(key)
        try:
            # A deletion has no body.
            record = _record(followed.subject, followed.data) if followed.data else None
        except RecordRefused as error:
            warn_foreign(log, followed.subject, error)
            record = None
        if record is None:
            self._agents.pop(key, None)
        else:
            self._agents[key] = record
        if before != record:
            for listener in self._listeners:
                listener()
