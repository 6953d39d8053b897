"""Artifact expiry: removes the bodies that nothing refers to any more.

A body stays as long as a request's log, journal or blackboard, a queue message or a dead letter refers to it, itself
or by way of another body: what an open request needs never expires. What nothing refers to may be on its way into
the log, so it stays while a request is open that is older than the body, up to the age `keep.artifacts`.
"""

import asyncio
import logging
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import BodyGone, SwarmError
from .artifacts import meta_subject
from .follow import Followed
from .kv import Bucket, last_message
from .log import scan, snapshot
from .prune import READ
from .records import ArtifactRef, read_json
from .swarm import Swarm
from .wire import NOT_FOUND, ApiError

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=10)
"""How long a body stays at least: whoever stored it hands its request in within that."""
_NAME = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Stored:
    """One body in the object store."""

    seq: int
    """Of its record."""
    at: float
    """Server time at which it was stored, or found to stand."""
    chunks: str
    """Where its parts lie."""
    json: bool
    """It may refer to others."""


def removable(
    stored: Mapping[str, Stored],
    *,
    now: float,
    oldest_open: float | None,
    kept: timedelta,
    grace: timedelta = GRACE,
) -> set[str]:
    """Return the bodies that may go unless something refers to them. Times are server time, in seconds.

    `oldest_open`: when the oldest request that has not ended began; None: all have.
    """
    fresh = now - grace.total_seconds()
    old = now - max(kept, grace).total_seconds()
    limit = fresh if oldest_open is None else max(min(fresh, oldest_open), old)
    return {name for name, one in stored.items() if one.at < limit}


def names_in(data: bytes) -> set[str]:
    """Return what may be a body's name in a message: whatever looks like a digest."""
    return {found.decode() for found in _NAME.findall(data)}


class ArtifactExpiry:
    """Remembers what large bodies refer to; they never change."""

    def __init__(self, swarm: Swarm, *, grace: timedelta = GRACE) -> None:
        """`grace`: how long a body stays at least."""
        self._swarm = swarm
        self._grace = grace
        self._inside: dict[str, set[str]] = {}

    async def sweep(self, *, oldest_open: float | None) -> int:
        """Remove the bodies that nothing refers to; return how many went."""
        swarm = self._swarm
        stored = await self._stored()
        now, kept = swarm.members.server.now(), swarm.limits.artifacts_kept
        going = removable(stored, now=now, oldest_open=oldest_open, kept=kept, grace=self._grace)
        self._inside = {name: inside for name, inside in self._inside.items() if name in stored}
        if going:
            # Their records were read before what refers to them: whoever refers to one later has written
            # its record anew, and the removal finds that.
            going -= await self._referred(stored, going)
        removed = 0
        for name in sorted(going):
            removed += await self._remove(name, stored[name])
        await self._remove_parts(stored, now)
        return removed

    async def _stored(self) -> dict[str, Stored]:
        bucket = self._swarm.names.artifacts
        try:
            await self._swarm.wire.api(f"STREAM.INFO.OBJ_{bucket}")
        except ApiError as error:
            if error.code not in NOT_FOUND:
                raise
            return {}  # it is made with the first artifact
        records = await snapshot(
            self._swarm.wire, f"OBJ_{bucket}", f"$O.{bucket}.M.>", deliver="last_per_subject"
        )
        found = {}
        for followed in records:
            try:
                info = read_json(followed.data, "the artifact's record")
                if not info.get("deleted"):
                    found[str(info["name"])] = Stored(
                        followed.seq,
                        followed.at,
                        f"$O.{bucket}.C.{info['nuid']}",
                        info.get("description") == "application/json",
                    )
            except (SwarmError, KeyError, AttributeError, TypeError) as error:
                log.warning("foreign message on %s: %s", followed.subject, error)
        return found

    async def _referred(self, stored: Mapping[str, Stored], going: set[str]) -> set[str]:
        """Return which bodies something refers to; those of `going` at least that anything does."""
        names, found = self._swarm.names, set[str]()

        def take(followed: Followed) -> None:
            found.update(names_in(followed.data) & stored.keys())

        # What moves is written where it goes before it leaves where it was: an accepted request to the
        # log, a dead task to the dead letters. So first where it comes from.
        for stream in (names.tasks, names.requests):
            await self._scan_queue(stream, take)
        for stream, kind in ((names.journal, "journal"), (names.log, "log"), (names.dead_letters, "dead")):
            await scan(self._swarm.wire, stream, names.wildcard(kind), take, deliver="all", timeout=READ)
        board = Bucket(self._swarm.wire, names.blackboard)
        await scan(self._swarm.wire, board.stream, board.subject(">"), take, deliver="all", timeout=READ)
        unread = [name for name in found if stored[name].json]
        while unread and going - found:
            name = unread.pop()
            inside = (await self._read(name)) & stored.keys()
            unread += [other for other in inside - found if stored[other].json]
            found |= inside
        return found

    async def _read(self, name: str) -> set[str]:
        if name not in self._inside:
            ref = ArtifactRef(name=name, size=0, digest=name)
            try:
                data = await self._swarm.artifacts.get(ref)
            except BodyGone as error:
                # Nobody can read it, so that it refers to nothing for anybody.
                log.warning("artifact %s not read: %s", name, error)
                return set()
            self._inside[name] = await asyncio.to_thread(names_in, data)
        return self._inside[name]

    async def _scan_queue(self, stream: str, take: Callable[[Followed], None]) -> None:
        """As `scan`, of a work queue, which admits no second reader."""
        seq = 1
        while True:
            try:
                answer = await self._swarm.wire.api(
                    f"STREAM.MSG.GET.{stream}", {"seq": seq, "next_by_subj": ">"}
                )
            except ApiError as error:
                if error.code not in NOT_FOUND:
                    raise
                return
            message = answer["message"]
            seq = int(message["seq"]) + 1
            take(Followed(str(message["subject"]), b64decode(message.get("data", "")), seq - 1, 0.0, 1))

    async def _remove(self, name: str, one: Stored) -> int:
        """Remove a body unless its record moved on; whoever wants it meanwhile stores it anew."""
        bucket = self._swarm.names.artifacts
        record = {"filter": meta_subject(bucket, name), "seq": one.seq + 1}
        answer = await self._swarm.wire.api(f"STREAM.PURGE.OBJ_{bucket}", record)
        if not int(answer.get("purged", 0)):
            return 0
        await self._swarm.wire.api(f"STREAM.PURGE.OBJ_{bucket}", {"filter": one.chunks})
        return 1

    async def _remove_parts(self, stored: Mapping[str, Stored], now: float) -> None:
        """Remove the parts of bodies whose storing broke off long ago."""
        bucket = self._swarm.names.artifacts
        try:
            info = await self._swarm.wire.api(
                f"STREAM.INFO.OBJ_{bucket}", {"subjects_filter": f"$O.{bucket}.C.>"}
            )
        except ApiError as error:
            if error.code not in NOT_FOUND:
                raise
            return
        known = {one.chunks for one in stored.values()}
        for subject in sorted(set(info["state"].get("subjects") or {}) - known):
            if await self._stored_at(bucket, subject) < now - 6 * GRACE.total_seconds():
                await self._swarm.wire.api(f"STREAM.PURGE.OBJ_{bucket}", {"filter": subject})

    async def _stored_at(self, bucket: str, subject: str) -> float:
        last = await last_message(self._swarm.wire, f"OBJ_{bucket}", subject)
        return datetime.fromisoformat(last.time).timestamp() if last is not None else float("inf")
