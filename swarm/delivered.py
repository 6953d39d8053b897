"""Delivered: one message of a work-queue consumer, and the ways to settle it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from nats.aio.msg import Msg

from ..errors import SwarmTimeout
from .records import Delivery
from .wire import Wire

_V1_TOKENS = 9
_NANOS = 1_000_000_000
HAND_BACK = b"-NAK"


@dataclass(frozen=True, slots=True)
class AckSubject:
    """What a delivery's reply subject says."""

    stream: str
    consumer: str
    delivery: Delivery
    at: float
    """Server time of the message, seconds since the epoch."""
    waiting: int
    """How many messages waited for the consumer after this one when it was delivered."""


def parse_ack_subject(reply: str) -> AckSubject | None:
    """Read `$JS.ACK.…` in its first or second form; None when it is neither.

    Both forms are described in NATS ADR-15: the second puts domain and account before the stream.
    """
    tokens = reply.split(".")
    if tokens[:2] != ["$JS", "ACK"] or len(tokens) < _V1_TOKENS:
        return None
    rest = tokens[2:] if len(tokens) == _V1_TOKENS else tokens[4:]
    try:
        stream, consumer = rest[:2]
        count, seq, _, stamp, waiting = map(int, rest[2:7])
    except ValueError:
        return None
    return AckSubject(stream, consumer, Delivery(seq=seq, count=count), stamp / _NANOS, waiting)


class Delivered:
    """A queue message in this process's hands. To settle it proves nothing; the log does."""

    __slots__ = ("_wire", "ack_subject", "at", "data", "delivery", "headers", "subject")

    def __init__(self, wire: Wire, message: Msg, ack: AckSubject) -> None:
        self._wire = wire
        self.subject = message.subject
        self.data = message.data
        self.headers: Mapping[str, str] = message.headers or {}
        self.ack_subject = message.reply
        self.delivery = ack.delivery
        self.at = ack.at

    async def ack(self) -> None:
        """Remove the message from the queue."""
        await self._settle(b"+ACK")

    async def nak(self, delay: timedelta = timedelta(0)) -> None:
        """Hand the message back, to be delivered again after `delay`."""
        seconds = delay.total_seconds()
        await self._settle(b'-NAK {"delay": %d}' % int(seconds * _NANOS) if seconds > 0 else HAND_BACK)

    async def extend(self) -> None:
        """Start the ack wait again."""
        await self._settle(b"+WPI")

    async def terminate(self, reason: str) -> None:
        """Remove a message that nobody can read; the server publishes the reason."""
        await self._settle(b"+TERM " + reason.replace("\n", " ")[:200].encode())

    async def _settle(self, word: bytes) -> None:
        try:
            await self._wire.send(self.ack_subject, word)
        except SwarmTimeout:
            # The ack wait is the backstop; the log keeps a second delivery from doing harm.
            return
