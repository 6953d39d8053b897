"""Server: the log with compare-and-set, the work queues, and the stream of heartbeats."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from picoclaw.swarm.entries import Entry
from picoclaw.swarm.follow import Followed
from picoclaw.swarm.records import Delivery

from .kernel import Kernel

if TYPE_CHECKING:
    from .checker import Checker
    from .run import Run


@dataclass(slots=True)
class Stored:
    """An entry in the log, and who wrote it doing what: the simulation's own knowledge."""

    subject: str
    entry: Entry
    seq: int
    at: float
    writer: str
    act: str


class LogStream:
    """One sequence, many subjects; an append names the sequence that it expects."""

    def __init__(self, kernel: Kernel, checker: "Checker") -> None:
        self._kernel, self._checker = kernel, checker
        self._seq = 0
        self.subjects: dict[str, list[Stored]] = {}
        self.followers: list[Callable[[Stored], None]] = []

    def store(self, subject: str, entry: Entry, expected: int | None, writer: str, act: str) -> int:
        """Return the sequence, or 0 when the subject has moved on."""
        entries = self.subjects.setdefault(subject, [])
        last = entries[-1].seq if entries else 0
        if expected is not None and last != expected:
            return 0
        self._seq += 1
        stored = Stored(subject, entry, self._seq, self._kernel.now, writer, act)
        self._checker.appended(entries, stored)
        entries.append(stored)
        for follow in self.followers:
            follow(stored)
        return self._seq

    def last(self, subject: str) -> Stored | None:
        entries = self.subjects.get(subject)
        return entries[-1] if entries else None

    def history(self, subject: str) -> list[Stored]:
        return list(self.subjects.get(subject, ()))

    def of_request(self, request: str) -> list[Stored]:
        found = [s for name, all_ in self.subjects.items() if name.startswith(request + ".") for s in all_]
        return sorted(found, key=lambda stored: stored.seq)


@dataclass(slots=True)
class Message:
    """What stands in a work queue."""

    subject: str
    seq: int
    body: Any
    count: int = 0
    pending: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """A delivery's reply subject; settling looks at the sequence alone, as the server does."""

    subject: str
    seq: int


@dataclass(slots=True)
class WorkQueue:
    """A work-queue stream with one message per subject; to be acked within the ack wait."""

    kernel: Kernel
    ack_wait: float
    deliver: Callable[["Run", str, Any, Delivery, Ack], None]
    available: Callable[[], float]
    """When the server is up again; 0: it is."""
    messages: dict[str, Message] = field(default_factory=dict)
    _seq: int = 0
    _waiting: list[str] = field(default_factory=list)
    parked: dict["Run", None] = field(default_factory=dict)
    schedules: dict[str, tuple[float, Any, int]] = field(default_factory=dict)

    def publish(self, subject: str, body: Any) -> bool:
        """Store, expecting that nothing stands there."""
        if subject in self.messages:
            return False
        self._put(subject, body)
        return True

    def _put(self, subject: str, body: Any) -> None:
        self._seq += 1
        self.messages[subject] = Message(subject, self._seq, body)
        self._offer(subject, self._seq, 0)

    def schedule(self, subject: str, body: Any, at: float) -> None:
        """Store at a time, in place of whatever stands there then."""
        self._seq += 1
        self.schedules[subject] = (at, body, self._seq)
        self.kernel.at(at, self._due, subject, self._seq)

    def _due(self, subject: str, number: int) -> None:
        if self.available():
            self.kernel.at(self.available(), self._due, subject, number)
            return
        scheduled = self.schedules.get(subject)
        if scheduled is not None and scheduled[2] == number:
            del self.schedules[subject]
            self._put(subject, scheduled[1])

    def withdraw(self, subject: str) -> None:
        self.messages.pop(subject, None)
        self.schedules.pop(subject, None)

    def ack(self, ack: Ack) -> None:
        message = self.messages.get(ack.subject)
        if message is not None and message.seq == ack.seq:
            del self.messages[ack.subject]

    def nak(self, ack: Ack, delay: float = 0.0) -> None:
        message = self.messages.get(ack.subject)
        if message is not None and message.seq == ack.seq and message.pending:
            self._free_at(message, self.kernel.now + delay)

    def extend(self, ack: Ack) -> None:
        message = self.messages.get(ack.subject)
        if message is not None and message.seq == ack.seq and message.pending:
            self._free_at(message, self.kernel.now + self.ack_wait)

    def _free_at(self, message: Message, when: float) -> None:
        """Deliver again then; any earlier appointment is off."""
        message.version += 1
        self.kernel.at(when, self._offer, message.subject, message.seq, message.version)

    def _offer(self, subject: str, seq: int, version: int) -> None:
        message = self.messages.get(subject)
        if message is None or message.seq != seq or message.version != version:
            return
        if self.available():
            self.kernel.at(self.available(), self._offer, subject, seq, version)
            return
        message.pending = False
        if not self.parked:
            if subject not in self._waiting:
                self._waiting.append(subject)
            return
        run = self.kernel.rng.choice(list(self.parked))
        del self.parked[run]
        self._hand_out(message, run)

    def park(self, run: "Run") -> None:
        """Note that a run takes one message."""
        while self._waiting:
            message = self.messages.get(self._waiting.pop(0))
            if message is not None and not message.pending:
                self._hand_out(message, run)
                return
        self.parked[run] = None

    def _hand_out(self, message: Message, run: "Run") -> None:
        message.count += 1
        message.pending = True
        self._free_at(message, self.kernel.now + self.ack_wait)
        delivery = Delivery(seq=message.seq, count=message.count)
        self.deliver(run, message.subject, message.body, delivery, Ack(message.subject, message.seq))


class MemberStream:
    """The last heartbeat of each node; it dies with its server."""

    def __init__(self) -> None:
        self.stored: dict[str, Followed] = {}
        self._seq = 0

    def store(self, node: str, data: bytes, now: float) -> Followed:
        self._seq += 1
        followed = Followed(subject=node, data=data, seq=self._seq, at=now, pending=0)
        self.stored[node] = followed
        return followed
