"""Blackboard: what the tasks of one request share, a key each; it goes with the request's log."""

import logging
from typing import ClassVar

from pydantic import JsonValue

from ...errors import AppendRefused, NotFound, RecordRefused, SwarmTimeout, UsageError
from ..artifacts import ArtifactStore
from ..foreign import warn_foreign
from ..kv import Bucket
from ..log import snapshot
from ..nesting import DEEPEST, too_deep
from ..records import ArtifactRef, Record
from ..subjects import REQUEST_ID, Names, token
from ..wire import NOT_FOUND, PATIENCE, ApiError, Wire

log = logging.getLogger(__name__)

INLINE = 32 << 10
"""Bytes of a value above which it lies in the object store."""
LARGEST = 4 << 20
"""Bytes of a value at most."""
MOST_KEYS = 200
LONGEST_KEY = 200
MOST_CALLS = 64
"""Earlier writers that a value remembers: one that comes again must not undo what came after it."""


class Shared(Record):
    """One value of a blackboard."""

    kind_name: ClassVar[str] = "shared value"
    key: str
    value: JsonValue = None
    ref: ArtifactRef | None = None
    """Where the value lies when it was too large; then `value` is absent."""
    by: str
    """Id of the task that shared it."""
    calls: tuple[str, ...] = ()
    """The uses of the tool that have written here, the last of them this value."""


class SharedBody(Record):
    """A value in the object store."""

    kind_name: ClassVar[str] = "shared body"
    value: JsonValue


class Board:
    """The blackboard of one request."""

    def __init__(self, wire: Wire, names: Names, artifacts: ArtifactStore, request: str) -> None:
        self._wire = wire
        self._bucket = Bucket(wire, names.blackboard)
        self._artifacts = artifacts
        self._request = request

    async def share(self, key: str, value: JsonValue, *, by: str, call: str) -> None:
        """Put a value there, over an earlier one; the same call again changes nothing.

        Raises UsageError for a key or value that is too large, and for one key too many.
        """
        key = check_key(key)
        fresh = await self._pack(key, value, by=by)
        place = f"{self._request}.{token(key)}"
        while True:
            stored, revision = await self._bucket.read(place, patient=PATIENCE)
            before = None if stored is None else _read(place, stored.data)
            calls = () if before is None else before.calls
            if call in calls:
                return
            if stored is None and await self._count() >= MOST_KEYS:
                raise UsageError(
                    f"{MOST_KEYS} keys are on the blackboard of {self._request} already: put several values "
                    "under one key"
                )
            written = fresh.model_copy(update={"calls": (*calls, call)[-MOST_CALLS:]})
            try:
                await self._bucket.put(place, written.to_bytes(), expected=revision)
                return
            except (AppendRefused, SwarmTimeout):
                # Somebody was first, or nobody knows whether this was written: the next look tells.
                continue

    async def _pack(self, key: str, value: JsonValue, *, by: str) -> Shared:
        body = SharedBody(value=value).to_bytes()
        if too_deep(body):
            raise UsageError(f"the value of {key!r} is nested over {DEEPEST} levels deep: share it as a text")
        if len(body) > LARGEST:
            raise UsageError(
                f"the value of {key!r} has {len(body) / 1e6:.1f} MB, the limit is {LARGEST / 1e6:.1f} MB: share "
                "a summary, or a part of it under each of several keys"
            )
        if len(body) <= INLINE:
            return Shared(key=key, value=value, by=by)
        return Shared(key=key, ref=await self._artifacts.put(body, media_type="application/json"), by=by)

    async def _count(self) -> int:
        info = await self._wire.ensure(
            f"STREAM.INFO.{self._bucket.stream}",
            {"subjects_filter": self._bucket.subject(f"{self._request}.>")},
        )
        return len(info["state"].get("subjects") or {})

    async def recall(self, key: str | None = None) -> dict[str, JsonValue]:
        """Return one key's value, or all; empty where nobody shared it. Raises BodyGone."""
        if key is None:
            found = await self.shared()
        else:
            place = f"{self._request}.{token(check_key(key))}"
            stored, _ = await self._bucket.read(place, patient=PATIENCE)
            one = None if stored is None else _read(place, stored.data)
            found = [] if one is None else [one]
        return {one.key: await self._value(one) for one in found}

    async def _value(self, one: Shared) -> JsonValue:
        return (
            one.value if one.ref is None else SharedBody.from_bytes(await self._artifacts.get(one.ref)).value
        )

    async def shared(self) -> list[Shared]:
        """Return what is there, by key, without bodies that lie elsewhere."""
        subject = self._bucket.subject(f"{self._request}.>")
        try:
            found = await snapshot(self._wire, self._bucket.stream, subject, deliver="last_per_subject")
        except ApiError as error:
            if error.code not in NOT_FOUND:
                raise
            return []  # made by an earlier version, which knew no blackboard
        values = [value for one in found if (value := _read(one.subject, one.data)) is not None]
        return sorted(values, key=lambda one: one.key)


def _read(subject: str, data: bytes) -> Shared | None:
    """Read a value; None for what is none of ours, named in the log."""
    try:
        return Shared.from_bytes(data)
    except RecordRefused as error:
        warn_foreign(log, subject, error)
        return None


def check_key(key: str) -> str:
    """Return a key as it is stored; raises UsageError for an empty, over-long or unreadable one."""
    key = key.strip()
    if not key or len(key) > LONGEST_KEY or any(ord(char) < 32 for char in key):
        raise UsageError(f"{key[:60]!r} is no key: give 1 to {LONGEST_KEY} characters in one line")
    return key


async def remove_board(wire: Wire, names: Names, request: str) -> None:
    """Remove a request's blackboard."""
    if not REQUEST_ID.fullmatch(request):  # it becomes a filter: anything else could mean all of them
        raise NotFound(f"{request[:60]!r} is no request")
    bucket = Bucket(wire, names.blackboard)
    try:
        await wire.api(f"STREAM.PURGE.{bucket.stream}", {"filter": bucket.subject(f"{request}.>")})
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
