"""Fault points: a moment before or after a durable write of a process, seen from outside by its relay.

    with relays() as park:                                     # a thread with a loop of its own
        relay = park.open(server.url)                          # give relay.url to the process
        point = relay.point(writes("log", entry="started"), "before", lambda write: worker.kill9())
        ...                                                    # `before`: it is never stored
        point.wait()                                           # `after`: stored, its answer withheld

`writes` tells writes by kind (`log`, `journal`, `task`, `request`, `delay`, `dead`, `node`, `kv`, `ack`, `nak`,
`wpi`, `term`, `pull`, `object`, `api` …), by the entry's kind and by step; `number` counts matches from 1.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from picoclaw.swarm.subjects import REQUEST_STEP

from .frames import Frame

When = Literal["before", "after"]
Then = Literal["break", "pass", "lose"]
"""What follows the action: the connection breaks; it goes on as if nothing were; what was sent (before) or
answered (after) is lost while the connection stands."""


@dataclass(frozen=True, slots=True)
class Write:
    """What a client published."""

    kind: str
    subject: str
    reply: str
    payload: bytes
    headers: bytes = b""
    request: str = ""
    step: str = ""
    """Of an entry, a queue message or an event; `_` for the request's own log."""
    entry: str = ""
    """Kind of a log entry, or of a step of a journal."""
    via: str = ""
    """Name of the relay that saw it: of several that share a point, who is to be harmed."""

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


_SETTLES = {b"+ACK": "ack", b"": "ack", b"-NAK": "nak", b"+WPI": "wpi", b"+TER": "term"}
_WITH_STEP = frozenset({"log", "journal", "task", "delay", "dead", "event"})


def read_write(frame: Frame, via: str = "") -> Write:
    """Return what a published frame is."""
    kind, request, step, entry = "other", "", "", ""
    subject, tokens = frame.subject, frame.subject.split(".")
    if subject.startswith("$JS.ACK."):
        kind = _SETTLES.get(frame.payload[:4], "ack")
    elif subject.startswith("$KV."):
        kind = "kv"
    elif subject.startswith("$O."):
        kind = "object"
    elif subject.startswith("$JS.API.CONSUMER.MSG.NEXT."):
        kind = "pull"
    elif subject.startswith("$JS.API."):
        kind = "api"
    elif tokens[0] == "picoclaw" and len(tokens) > 3:
        kind = tokens[2]
        if kind in _WITH_STEP:
            request, step = tokens[-2:]
        elif kind == "request":
            request = tokens[-1]
        if kind in ("log", "journal"):
            entry = _kind_of(frame.payload)
    return Write(kind, subject, frame.reply, frame.payload, frame.headers, request, step, entry, via)


def _kind_of(payload: bytes) -> str:
    try:
        return str(json.loads(payload)["kind"])
    except (ValueError, KeyError, TypeError):
        return ""


Match = Callable[[Write], bool]
Act = Callable[[Write], object]


def writes(
    kind: str,
    *,
    entry: str | None = None,
    step: str | None = None,
    of: Literal["task", "request"] | None = None,
    subject: str | None = None,
) -> Match:
    """Return what matches such writes; `subject` is a part of it, `of` whose log it is."""

    def match(write: Write) -> bool:
        whose = "request" if write.step == REQUEST_STEP or write.kind == "request" else "task"
        return (
            write.kind == kind
            and (entry is None or write.entry == entry)
            and (step is None or write.step == step)
            and (of is None or whose == of)
            and (subject is None or subject in write.subject)
        )

    return match


def nothing(write: Write) -> None:
    """Do nothing: a point that only looks, or whose harm is what `then` says."""


@dataclass(slots=True)
class Point:
    """One fault point; it fires once, though several relays may have it."""

    match: Match
    when: When
    act: Act = nothing
    number: int = 1
    then: Then = "break"
    seen: list[Write] = field(default_factory=list)
    """What has matched so far."""
    failure: BaseException | None = None
    _fired: bool = False
    _reached: threading.Event = field(default_factory=threading.Event)

    def takes(self, write: Write) -> bool:
        """Count a write; return whether it is the one."""
        if self._fired or not self.match(write):
            return False
        self.seen.append(write)
        self._fired = len(self.seen) == self.number
        return self._fired

    async def fire(self, write: Write) -> None:
        """Do the harm, off the loop: it may wait for a process."""
        try:
            await asyncio.to_thread(self.act, write)
        except Exception as error:
            self.failure = error
        self._reached.set()

    @property
    def reached(self) -> bool:
        return self._reached.is_set()

    def reached_in(self, timeout: float) -> bool:
        """Wait for the harm for so many seconds; return whether it is done."""
        return self._reached.wait(timeout)

    def wait(self, timeout: float = 20.0) -> Write:
        """Wait until the harm is done; return the write. AssertionError when it never came."""
        if not self._reached.wait(timeout):
            raise AssertionError(f"fault point not reached in {timeout:g} s; it saw {len(self.seen)} matches")
        if self.failure is not None:
            raise AssertionError("what the fault point was to do failed") from self.failure
        return self.seen[self.number - 1]

    async def wait_async(self, timeout: float = 20.0) -> Write:
        """As `wait`, while the event loop runs on."""
        return await asyncio.to_thread(self.wait, timeout)
