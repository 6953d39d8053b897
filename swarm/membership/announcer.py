"""Announcer: this node's heartbeats, its answer to probes, and the orders that reach it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from nats.aio.msg import Msg

from ...errors import NodeNameTaken, PicoclawError, RecordRefused, SwarmError
from ..foreign import warn_foreign
from ..records import read_json
from ..streams import STORE_VERSION
from ..subjects import EXPECTED_SUBJECT_SEQ, Names
from ..wire import WRONG_LAST_SEQUENCE, ApiError, NobodyListens, Wire
from .heartbeat import Advert, Heartbeat

log = logging.getLogger(__name__)

SEND_TIMEOUT = timedelta(seconds=2)

Order = Callable[[dict[str, object]], None]


class Announcer:
    """Says that this run lives. Use `join`, then `run` beside the work, then `goodbye`."""

    def __init__(
        self,
        wire: Wire,
        names: Names,
        advert: Advert,
        *,
        interval: timedelta,
        node_timeout: timedelta,
        tasks: Callable[[], tuple[str, ...]],
        repair: Callable[[], Awaitable[None]],
    ) -> None:
        """`tasks` returns the ids of the tasks that the job table holds right now.

        `repair` makes the stream of heartbeats anew when nothing takes them any more.
        """
        self._wire = wire
        self._names = names
        self._advert = advert
        self._interval = interval
        self._node_timeout = node_timeout
        self._tasks = tasks
        self._repair = repair
        self._draining = False
        self._gone = False
        self._wake = asyncio.Event()
        self._born = asyncio.get_running_loop().time()
        self._joined_at = 0.0
        """Server time."""
        self.beat = 0
        """Number of the last heartbeat that was made up, sent or not."""

    @property
    def advert(self) -> Advert:
        return self._advert

    def change(self, advert: Advert) -> None:
        """Advertise something else from now on."""
        self._advert = advert
        self._wake.set()

    def drain(self) -> None:
        """Say that this node takes no more work."""
        self._draining = True
        self._wake.set()

    def again(self) -> None:
        """Send a heartbeat now: the connection came back, or something changed."""
        self._wake.set()

    async def join(self, *, expected: int, orders: Order, at: float = 0.0) -> None:
        """Answer probes and take orders, then send the first heartbeat.

        `expected` is the revision of the name (`identity.name_revision`), `at` the server's time.
        Raises NodeNameTaken when another node took it in between.
        """
        self._joined_at = at

        async def on_probe(message: Msg) -> None:
            await message.respond(self._advert.run.encode())

        async def on_control(message: Msg) -> None:
            try:
                order = read_json(message.data, "the order")
            except RecordRefused:
                order = None
            if isinstance(order, dict):
                orders(order)
            else:
                warn_foreign(log, message.subject, f"{len(message.data)} bytes that are no order; ignored")

        await self._wire.client.subscribe(self._names.probe(self._advert.node), cb=on_probe)
        await self._wire.client.subscribe(self._names.control(self._advert.node), cb=on_control)
        try:
            await self._send(headers={EXPECTED_SUBJECT_SEQ: str(expected)})
        except ApiError as error:
            if error.code != WRONG_LAST_SEQUENCE:
                raise
            raise NodeNameTaken(
                f"another node has just taken the name {self._advert.node!r}: choose another --swarm.name"
            ) from None

    async def run(self) -> None:
        """Send a heartbeat each interval, and at once when something changed."""
        while True:
            try:
                async with asyncio.timeout(self._interval.total_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            # Before the heartbeat is made up: what changes while it is under way is said by the next one.
            self._wake.clear()
            if self._gone:
                return
            try:
                await self._send()
            except NobodyListens:
                await self._mend()
            except SwarmError as error:
                log.debug("heartbeat not stored: %s", error)

    async def _mend(self) -> None:
        """Bring the stream of heartbeats back: it lived in the memory of a server that went."""
        try:
            await self._repair()
            await self._send()
        except PicoclawError as error:
            log.debug("heartbeat not stored: %s", error)

    async def goodbye(self) -> None:
        """Say that this run ends; best effort, and nothing is said after it."""
        self._gone = True
        try:
            await self._send(goodbye=True)
        except SwarmError as error:
            log.debug("goodbye not stored: %s", error)

    def now(self, *, goodbye: bool = False) -> Heartbeat:
        """Return what this node says of itself at this moment."""
        self.beat += 1
        advert = self._advert
        return Heartbeat(
            node=advert.node,
            run=advert.run,
            sid=advert.sid,
            role=advert.role,
            beat=self.beat,
            interval_s=self._interval.total_seconds(),
            timeout_s=self._node_timeout.total_seconds(),
            slots=advert.slots,
            tasks=self._tasks(),
            draining=self._draining,
            goodbye=goodbye,
            capabilities=advert.capabilities,
            named=advert.named,
            marks=advert.marks,
            general=advert.general,
            not_ready=dict(advert.not_ready),
            labels=dict(advert.labels),
            agents=advert.agents,
            leads=advert.leads,
            promotable=advert.promotable,
            sandbox=advert.sandbox,
            optional=dict(advert.optional),
            started=round(asyncio.get_running_loop().time() - self._born, 3),
            born=self._joined_at,
            host=advert.host,
            pid=advert.pid,
            version=advert.version,
            store=STORE_VERSION,
        )

    async def _send(self, *, goodbye: bool = False, headers: dict[str, str] | None = None) -> None:
        beat = self.now(goodbye=goodbye)
        await self._wire.store(
            self._names.member(beat.node), beat.to_bytes(), headers=headers, timeout=SEND_TIMEOUT
        )
