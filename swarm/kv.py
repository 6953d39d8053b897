"""KV: compare-and-set records in a bucket, read from the stream's leader."""

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..errors import AppendRefused
from .subjects import EXPECTED_SUBJECT_SEQ
from .wire import NOT_FOUND, REQUEST_TIMEOUT, WRONG_LAST_SEQUENCE, ApiError, Wire

_OPERATION = "KV-Operation"


@dataclass(frozen=True, slots=True)
class Stored:
    """The last message on a subject."""

    data: bytes
    seq: int
    time: str
    """Server time, RFC 3339."""
    headers: bytes = b""


async def last_message(
    wire: Wire,
    stream: str,
    subject: str,
    *,
    patient: timedelta | None = None,
    timeout: timedelta = REQUEST_TIMEOUT,
) -> Stored | None:
    """Return the last message on a subject from the stream's leader; None when there is none.

    `patient`: how long to ask until there is a leader; a stream that was just made in a cluster has
    none yet, nor one whose leader has just gone. Without it one answer is waited for, up to `timeout`.
    """
    call, body = f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject}
    try:
        if patient is None:
            answer = await wire.api(call, body, timeout=timeout)
        else:
            answer = await wire.ensure(call, body, patience=patient)
    except ApiError as error:
        if error.code in NOT_FOUND:
            return None
        raise
    return _stored(answer)


async def next_message(
    wire: Wire, stream: str, subject: str, seq: int, *, timeout: timedelta = REQUEST_TIMEOUT
) -> Stored | None:
    """Return the first message on a subject from a sequence on; None when there is none."""
    try:
        answer = await wire.api(
            f"STREAM.MSG.GET.{stream}", {"seq": seq, "next_by_subj": subject}, timeout=timeout
        )
    except ApiError as error:
        if error.code in NOT_FOUND:
            return None
        raise
    return _stored(answer)


def _stored(answer: dict[str, Any]) -> Stored:
    message: dict[str, Any] = answer["message"]
    return Stored(
        base64.b64decode(message.get("data", "")),
        int(message["seq"]),
        str(message["time"]),
        base64.b64decode(message.get("hdrs", "")),
    )


class Bucket:
    """A key-value bucket; keys are tokens of `subjects`."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self.name = name
        self.stream = f"KV_{name}"

    def subject(self, key: str) -> str:
        return f"$KV.{self.name}.{key}"

    async def get(self, key: str) -> Stored | None:
        """Return a key's value and revision; None when it is absent or deleted."""
        return (await self.read(key))[0]

    async def read(self, key: str, *, patient: timedelta | None = None) -> tuple[Stored | None, int]:
        """Return a key's value, if it has one, and the revision to write over; 0: there never was one.

        One read gives both: a second one could see what was written in between, and overwrite it.
        `patient` as for `last_message`.
        """
        stored = await last_message(self._wire, self.stream, self.subject(key), patient=patient)
        if stored is None:
            return None, 0
        return (None if is_deleted(stored) else stored), stored.seq

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        """Write a value over the revision `expected` and return the new one.

        Raises AppendRefused when another revision stands there.
        """
        return await self._write(key, value, {EXPECTED_SUBJECT_SEQ: str(expected)})

    async def delete(self, key: str, *, expected: int) -> None:
        """Delete a key at the revision `expected`; raises AppendRefused when it moved on."""
        await self._write(key, b"", {EXPECTED_SUBJECT_SEQ: str(expected), _OPERATION: "DEL"})

    async def _write(self, key: str, value: bytes, headers: dict[str, str]) -> int:
        try:
            return await self._wire.store(self.subject(key), value, headers=headers)
        except ApiError as error:
            if error.code != WRONG_LAST_SEQUENCE:
                raise
            raise AppendRefused(f"{self.name}/{key} was changed by somebody else: read it again") from None


def is_deleted(stored: Stored) -> bool:
    """Return whether the message marks a deletion or an expiry instead of a value."""
    return _OPERATION.encode() in stored.headers or b"Nats-Marker-Reason" in stored.headers


def as_json(value: Any) -> bytes:
    """Return a small value's wire form."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
