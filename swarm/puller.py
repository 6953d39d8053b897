"""Puller: takes from many work-queue consumers at once, never more than the free slots.

Its inboxes are never dropped while pulls are out: what is delivered to a dropped inbox would be
stranded until the ack wait. While a slot is free each source has a parked pull of one. A source
where more waits is hot: it is asked again at once for as many as there are free slots, high
priorities first, lanes of one level by turns, and every eighth time low ones first, so that low never
starves. Surplus is handed back at once (DESIGN.md section 5).
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Self

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from .delivered import Delivered, parse_ack_subject
from .wire import API, Wire

log = logging.getLogger(__name__)

PARK = timedelta(seconds=4)
"""Longest that a pull stays parked."""
TICK = timedelta(milliseconds=500)
ANSWERED = 0.5
"""Seconds after which a pull that does not wait counts as answered, should its answer be lost.

To be wrong costs a message that goes back as surplus; to wait would keep slots empty.
"""
GATED_PARK = 0.5
"""Seconds that a pull of a source with a limit of its own stays parked: what allows it is given back soon."""
LATE = 1.0
"""Seconds past its expiry after which an unanswered pull is written off."""
RETURN = timedelta(milliseconds=50)
"""How long a slot is kept for what was handed back: the broker delivers it again in some 4 ms."""
GROUP = "work"
PARKED, HOT = "p", "h"
"""The two kinds of pull, in the inbox that they name."""
LOW_FIRST_EVERY = 8
_NANOS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """One consumer to pull from."""

    stream: str
    consumer: str
    level: int
    """Scanned from high to low."""
    rank: int | None = None
    """The broker's priority for these pulls, 0 first to 9 last; None: the consumer has no groups."""
    free: Callable[[], int | None] | None = field(default=None, compare=False)
    """How many messages it may be asked for now, beside the free slots; None, or its None: any number."""


@dataclass(slots=True)
class _Pull:
    remaining: int
    until: float
    parked: bool


@dataclass(slots=True)
class _State:
    source: Source
    key: str
    pulls: dict[str, _Pull] = field(default_factory=dict)
    hot: bool = False
    """More waits there than was delivered."""
    asked: int = 0
    """The turn in which it was last asked as a hot one."""
    handed_back: bool = False
    """Surplus of it went back and is about to come again."""
    rest_until: float = 0.0
    """No pull before then: the consumer was missing or refused."""

    def credit(self, *, parked: bool) -> int:
        return sum(pull.remaining for pull in self.pulls.values() if pull.parked is parked)


Take = Callable[[Delivered], bool]
"""Takes a message into a slot and returns True, or refuses it: no slot is free."""


class Puller:
    """Keeps pulls out on its sources as long as slots are free. Use as an async context manager."""

    def __init__(self, wire: Wire, *, free: Callable[[], int], take: Take, node_timeout: timedelta) -> None:
        """`node_timeout`: this node's own.

        A hung process still has its pulls parked at the broker: they must have expired when it is
        declared dead, or the tasks that are taken from it would be delivered to it again.
        """
        self._park = min(PARK, node_timeout / 2).total_seconds()
        self._wire = wire
        self._free = free
        self._take = take
        self._states: dict[str, _State] = {}
        self._by_consumer: dict[tuple[str, str], _State] = {}
        self._inbox = wire.client.new_inbox()
        self._subscriptions: list[Subscription] = []
        self._counter = 0
        self._turn = 0
        self._wake = asyncio.Event()
        self._stopped = False

    async def __aenter__(self) -> Self:
        # A message does not say which pull it answers, but it comes to that pull's inbox: two kinds of
        # pull, two inboxes. Within a kind the server answers in the order in which it was asked.
        for kind in (PARKED, HOT):
            handler = partial(self._on_message, parked=kind == PARKED)
            self._subscriptions.append(
                await self._wire.client.subscribe(f"{self._inbox}.{kind}.*.*", cb=handler)
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        if self._wire.client.is_connected:
            # What the server had sent before it heard of this is still received, and handed back.
            for subscription in self._subscriptions:
                await subscription.drain()  # type: ignore[no-untyped-call]

    def add(self, source: Source) -> None:
        """Begin to pull from a source; adding it again changes nothing."""
        if (source.stream, source.consumer) in self._by_consumer:
            return
        self._counter += 1
        state = _State(source, str(self._counter))
        self._states[state.key] = state
        self._by_consumer[(source.stream, source.consumer)] = state
        self._wake.set()

    def remove(self, stream: str, consumer: str) -> None:
        """Pull no more from a source; what is under way to us still counts."""
        state = self._by_consumer.pop((stream, consumer), None)
        if state is not None:
            self._states.pop(state.key, None)

    @property
    def sources(self) -> list[Source]:
        return [state.source for state in self._states.values()]

    def stop(self) -> None:
        """Pull no more; messages that still arrive are handed back."""
        self._stopped = True

    @property
    def quiet(self) -> bool:
        """Whether no pull is out any more."""
        now = asyncio.get_running_loop().time()
        return not any(p.until > now for state in self._states.values() for p in state.pulls.values())

    def slot_freed(self) -> None:
        """Look for work: a slot has come free."""
        self._wake.set()

    def reconnected(self) -> None:
        """Ask anew: pulls do not survive the connection."""
        for state in self._states.values():
            state.pulls.clear()
            state.hot = False
            state.rest_until = 0.0
        self._wake.set()

    async def run(self) -> None:
        """Keep the pulls out until cancelled."""
        while True:
            self._wake.clear()
            if self._wire.client.is_connected and not self._stopped:
                await self._fill()
            try:
                async with asyncio.timeout(TICK.total_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                self._write_off()

    def _write_off(self) -> None:
        now = asyncio.get_running_loop().time()
        for state in self._states.values():
            for key in [key for key, pull in state.pulls.items() if now > pull.until]:
                del state.pulls[key]

    async def _fill(self) -> None:
        self._write_off()
        budget = self._free() - sum(state.credit(parked=False) for state in self._states.values())
        if self._free() <= 0:
            return
        now = asyncio.get_running_loop().time()
        sign = -1
        if any(state.hot for state in self._states.values()):
            self._turn += 1
            if self._turn % LOW_FIRST_EVERY == 0:
                sign = 1
        # Of one level who was asked longest ago goes first: none waits for another to run dry.
        for state in sorted(self._states.values(), key=lambda s: (sign * s.source.level, s.asked)):
            own = state.source.free() if state.source.free is not None else None
            if now < state.rest_until or (own is not None and own <= 0):
                continue
            if state.hot:
                batch = budget if own is None else min(budget, own - state.credit(parked=False))
                if batch > 0:
                    state.asked = self._turn
                    await self._pull(state, batch, parked=False)
                    budget -= batch
            elif not any(pull.parked for pull in state.pulls.values()):
                await self._pull(state, 1, parked=True)

    async def _pull(self, state: _State, batch: int, *, parked: bool) -> None:
        source = state.source
        self._counter += 1
        key = str(self._counter)
        body: dict[str, object] = {"batch": batch}
        gated = source.free is not None and source.free() is not None
        park = min(self._park, GATED_PARK) if gated else self._park
        if parked:
            body["expires"] = int(park * _NANOS)
        elif state.handed_back:
            # To find nothing now would leave the slot to a lower level, again and again.
            body["expires"] = int(RETURN.total_seconds() * _NANOS)
            state.handed_back = False
        else:
            body["no_wait"] = True
        if source.rank is not None:
            body |= {"group": GROUP, "priority": source.rank}
        now = asyncio.get_running_loop().time()
        state.pulls[key] = _Pull(batch, now + (park + LATE if parked else ANSWERED), parked)
        try:
            await self._wire.client.publish(
                f"{API}CONSUMER.MSG.NEXT.{source.stream}.{source.consumer}",
                json.dumps(body).encode(),
                f"{self._inbox}.{PARKED if parked else HOT}.{state.key}.{key}",
            )
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
            # The connection went between the look at it and now; the reconnect asks anew.
            log.debug("pull on %s: %s", source.consumer, error)
            state.pulls.pop(key, None)

    async def _on_message(self, message: Msg, *, parked: bool) -> None:
        ack = parse_ack_subject(message.reply) if message.reply else None
        if ack is None:
            self._on_status(message)
            return
        delivered = Delivered(self._wire, message, ack)
        state = self._by_consumer.get((ack.stream, ack.consumer))
        if state is not None:
            state.hot = ack.waiting > 0
            self._use_credit(state, parked=parked)
        if self._stopped or not self._take(delivered):
            if state is not None:
                state.hot = state.handed_back = True
            await delivered.nak()
        self._wake.set()

    def _use_credit(self, state: _State, *, parked: bool) -> None:
        for key, pull in state.pulls.items():
            if pull.parked is parked:
                pull.remaining -= 1
                if pull.remaining == 0:
                    del state.pulls[key]
                return

    def _on_status(self, message: Msg) -> None:
        state_key, pull_key = message.subject.rsplit(".", 2)[1:]
        state = self._states.get(state_key)
        if state is None:
            return
        pull = state.pulls.pop(pull_key, None)
        status = (message.headers or {}).get("Status", "")
        if status in ("404", "408") and pull is not None and not pull.parked:
            state.hot = False
        elif status not in ("404", "408"):
            # 503: no such consumer (yet); 409: deleted, too many waiting, or its leader moved.
            log.debug("pull on %s: %s", state.source.consumer, message.headers)
            state.hot = False
            state.rest_until = asyncio.get_running_loop().time() + TICK.total_seconds() / 2
        self._wake.set()
