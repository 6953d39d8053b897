"""Swarm: the one door to NATS. Roles and verbs ask it to submit, pull, record, announce, watch."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from nats.aio.client import Client

from ..config.settings import NatsSettings
from ..errors import ConnectError, PicoclawError, RecordRefused, StoreTooNew, SwarmError
from .artifacts import TRANSFER_TIMEOUT, ArtifactStore
from .background import Background, background
from .bodies import pack_queued
from .entries import Dead
from .follow import Followed, Follower
from .identity import adopt_hid, find_hid, keep_hid
from .inbox import Inbox
from .kv import Bucket, as_json
from .lanes import Lanes
from .limits.live import LiveLimits
from .limits.record import KEY
from .log import Log, snapshot
from .membership.members import Members
from .membership.prober import Prober
from .queue import Queue
from .records import DeadLetter, QueuedTask
from .streams import Limits, ensure_shared, ensure_streams
from .subjects import Names
from .tracing.begin import begin_tracing
from .tracing.spans import OFF, Tracing
from .wire import ApiError, NobodyListens, Wire

log = logging.getLogger(__name__)

DOOR_PATIENCE = timedelta(seconds=20)
"""How long somebody at a terminal waits for a body while the server is away; a node's task waits longer."""
SWEEP = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who this process is in the swarm; verbs are nobody and declare nobody dead."""

    node: str = ""
    run: str = ""


@dataclass(slots=True)
class Swarm:
    """An open swarm; made by `open_swarm`."""

    nats: NatsSettings
    live: LiveLimits
    """What an operator set for the whole swarm."""
    me: Me
    make: bool
    """Streams that are missing are made; not by verbs that only look."""
    adopted: bool
    """The H-id is the account's, which this process was not told."""
    names: Names
    client: Client
    wire: Wire
    log: Log
    lanes: Lanes
    queue: Queue
    inbox: Inbox
    artifacts: ArtifactStore
    members: Members
    prober: Prober
    """Asks whom somebody here watches whether they are there; runs once the members are followed."""
    tasks: Background
    """Tasks that live as long as the swarm is open; a failure of one ends it."""
    tracing: Tracing = OFF
    _reconnected: list[Callable[[], None]] = field(default_factory=list)
    _followers: list[Follower] = field(default_factory=list)
    _reviving: asyncio.Task[None] | None = None

    @property
    def limits(self) -> Limits:
        """The sizes and ages that hold now."""
        return self.live.effective

    @property
    def leases(self) -> Bucket:
        return Bucket(self.wire, self.names.leases)

    def on_reconnect(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each reconnect, once the memory streams stand again."""
        self._reconnected.append(listener)

    def off_reconnect(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._reconnected.remove(listener)

    def follow(
        self,
        stream: str,
        subject: str,
        handle: Callable[[Followed], None],
        *,
        deliver: str = "last_per_subject",
        on_reset: Callable[[], None] | None = None,
    ) -> asyncio.Event:
        """Follow a stream as long as the swarm is open; the event is set once it is caught up."""
        return self._follow(stream, subject, handle, deliver=deliver, on_reset=on_reset)[0]

    @asynccontextmanager
    async def following(
        self, stream: str, subject: str, handle: Callable[[Followed], None]
    ) -> AsyncIterator[asyncio.Event]:
        """Follow a stream for a block; the event is set once it is caught up."""
        caught_up, follower, task = self._follow(stream, subject, handle)
        try:
            yield caught_up
        finally:
            self._followers.remove(follower)
            task.cancel()

    def _follow(
        self,
        stream: str,
        subject: str,
        handle: Callable[[Followed], None],
        *,
        deliver: str = "last_per_subject",
        on_reset: Callable[[], None] | None = None,
    ) -> tuple[asyncio.Event, Follower, asyncio.Task[None]]:
        caught_up = asyncio.Event()
        follower = Follower(
            self.wire, stream, subject, deliver=deliver, on_snapshot=caught_up.set, on_reset=on_reset
        )
        self._followers.append(follower)
        return caught_up, follower, self.tasks.start(follower.run(handle), name=f"follow {stream}")

    async def read_members(self) -> None:
        """Take the table of members as it stands now, once."""
        await self._learn_server_time()
        for followed in await snapshot(
            self.wire, self.names.members, self.names.wildcard("node"), deliver="last_per_subject"
        ):
            self.members.take(followed, live=False)

    async def follow_members(self) -> None:
        """Keep the table of members current; returns once it is complete."""
        await self._learn_server_time()
        caught_up: asyncio.Event | None = None

        def take(followed: Followed) -> None:
            live = caught_up is not None and caught_up.is_set()
            self.members.take(followed, live=live)

        caught_up = self.follow(
            self.names.members, self.names.wildcard("node"), take, on_reset=self.members.forget_all
        )
        self.tasks.start(self._sweep(), name="sweep members")
        self.tasks.start(self.prober.run(), name="probe members")
        await within(caught_up.wait(), "the table of members")

    async def follow_lanes(self) -> None:
        """Keep the known lanes current; returns once they are complete."""
        bucket = self.lanes.bucket
        caught_up = self.follow(
            bucket.stream, bucket.subject(">"), self.lanes.take, on_reset=self.lanes.forget_all
        )
        await within(caught_up.wait(), "the known lanes")

    async def follow_limits(self) -> None:
        """Keep the limits that an operator sets current; returns once they are known."""
        bucket, live = self.live.bucket, self.live
        caught_up = self.follow(bucket.stream, bucket.subject(KEY), live.take, on_reset=live.forget)
        await within(caught_up.wait(), "the limits of the swarm")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP.total_seconds())
            self.members.sweep()

    async def _learn_server_time(self) -> None:
        # Patient at the beginning only: later a silent server is news, as for a dashboard.
        ask = self.wire.api if self.members.server.known else self.wire.ensure
        info = await ask(f"STREAM.INFO.{self.names.members}")
        stamp = info.get("ts")
        if stamp:
            from datetime import datetime

            self.members.server.learn(datetime.fromisoformat(str(stamp)).timestamp())

    async def bury(self, queued: QueuedTask, entry: Dead) -> None:
        """Copy a dead task, with its body, to the dead letters; best effort, the log has it."""
        subject = self.names.dead_letter(queued.request, queued.task.step)
        try:
            body = await pack_queued(queued, self.artifacts)
            letter = DeadLetter(queued=body, attempt=entry.attempt, error=entry.error, node=entry.node)
            await self.wire.store(subject, letter.to_bytes())
        except (SwarmError, ApiError) as error:
            log.warning("dead letter of %s not stored: %s", queued.id, error)

    async def fence(self, node: str, task: str, seq: int) -> None:
        """Tell a holder that the log has moved past its `started`; the refused append is the proof."""
        await self.wire.send(self.names.control(node), as_json({"fence": task, "seq": seq}))

    async def ensure_streams(self) -> None:
        """Make whatever stream is missing. Raises as `streams.ensure_streams`."""
        await ensure_streams(self.wire, self.names, replicas=self.nats.replicas, limits=self.limits)

    async def _keep_hid(self) -> None:
        """See to it that whoever comes next adopts this H-id too, whatever became of the store."""
        if not self.adopted:
            return
        await ensure_shared(self.wire, replicas=self.nats.replicas)
        try:
            found = await keep_hid(self.wire, self.names.hid)
        except RecordRefused as error:
            log.warning("%s", error)  # it keeps others out; this process knows its own
            return
        if found != self.names.hid:
            log.warning(
                "nodes that start now join swarm %r, this process is in %r: restart it, or set --swarm.hid",
                found,
                self.names.hid,
            )

    def connection_lost(self) -> None:
        """Remember what was under way, for when the connection is back."""
        self.wire.disconnected()

    def connection_back(self) -> None:
        """Begin anew with all that hangs on the connection."""
        self.wire.reconnected()
        if self._reviving is not None:
            self._reviving.cancel()  # that one began on a connection that has gone since
        self._reviving = self.tasks.start(self.reconnected(), name="reconnected")

    async def reconnected(self) -> None:
        """Bring back what did not survive: memory streams, followers, pulls, the announcement."""
        self.members.reconnected()
        self.lanes.forget_made()
        told = False
        while self.make and self.client.is_connected:  # else the next reconnect begins anew
            try:
                await self._keep_hid()
                await self.ensure_streams()
                break
            except StoreTooNew:
                raise
            except PicoclawError as error:
                if not told:
                    # What stands need not wait for what does not.
                    log.warning("streams are not back yet: %s", error)
                    self._tell_reconnected()
                told = True
                await asyncio.sleep(0.25)
        self._tell_reconnected()

    def _tell_reconnected(self) -> None:
        for follower in self._followers:
            follower.reconnected()
        for listener in self._reconnected:
            listener()


async def within(done: Awaitable[object], what: str, limit: timedelta = timedelta(seconds=30)) -> None:
    """Wait for what is read at the beginning; raises SwarmError where it takes longer."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await done
    except TimeoutError:
        raise SwarmError(f"{what} could not be read in time: check the NATS server") from None


Connect = Callable[[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]], Awaitable[Client]]
"""Connects, given what to call on disconnect and on reconnect."""


@asynccontextmanager
async def open_swarm(
    connect: Connect,
    nats: NatsSettings,
    *,
    hid: str | None,
    me: Me | None = None,
    make: bool = True,
    limits: Limits | None = None,
    on_disconnect: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Swarm]:
    """Connect, find the H-id, make the streams (`make`) and yield the swarm.

    Without `make`, for verbs that only look, a swarm that is not there raises SwarmError. Raises
    what `connect` raises, StoreTooNew, JetStreamDisabled.
    """
    me = me or Me()
    limits = limits or Limits()
    opened: list[Swarm] = []

    async def disconnected() -> None:
        for swarm in opened:
            swarm.connection_lost()
        if on_disconnect is not None:
            await on_disconnect()

    async def reconnected() -> None:
        for swarm in opened:
            swarm.connection_back()

    client = await connect(disconnected, reconnected)
    try:
        async with Wire(client) as wire, background() as tasks:
            names = Names(await _hid(wire, hid, make=make, replicas=nats.replicas))
            if make:
                await ensure_streams(wire, names, replicas=nats.replicas, limits=limits)
            live = LiveLimits(wire, names, limits)
            artifacts = ArtifactStore(
                client,
                wire,
                names,
                replicas=nats.replicas,
                size=limits.artifacts,
                patience=TRANSFER_TIMEOUT if me.node else DOOR_PATIENCE,
            )
            members = Members(
                wire,
                names,
                me=me.node,
                run=me.run,
                interval=nats.heartbeat_interval,
                node_timeout=nats.node_timeout,
                clock=asyncio.get_running_loop().time,
            )
            lanes = Lanes(wire, names, ack_wait=nats.ack_wait)
            swarm = Swarm(
                nats=nats,
                live=live,
                me=me,
                make=make,
                adopted=hid is None,
                names=names,
                client=client,
                wire=wire,
                log=Log(wire, names),
                lanes=lanes,
                queue=Queue(wire, names, lanes),
                inbox=Inbox(wire, names, artifacts, limits=live, ack_wait=nats.ack_wait),
                artifacts=artifacts,
                members=members,
                prober=Prober(members),
                tasks=tasks,
                tracing=begin_tracing(me.node, os.environ) if me.node else OFF,
            )
            opened.append(swarm)
            try:
                yield swarm
            finally:
                opened.clear()
                if swarm.tracing is not OFF:
                    await asyncio.to_thread(swarm.tracing.close)
    finally:
        await _close(client)


async def _hid(wire: Wire, wanted: str | None, *, make: bool, replicas: int) -> str:
    if make:
        await ensure_shared(wire, replicas=replicas)
        return await adopt_hid(wire, wanted)
    try:
        found = await find_hid(wire, wanted)
    except (ApiError, NobodyListens):
        found = None
    if found is None:
        raise SwarmError(
            "no swarm has ever run on this NATS server: start a node, for example "
            "`picoclaw --swarm.role coordinator --swarm.nats.embedded`"
        )
    return found


async def _close(client: Client) -> None:
    if client.is_closed:
        return
    try:
        async with asyncio.timeout(2):
            if client.is_connected:
                await client.flush()
    except (TimeoutError, ConnectError, OSError) as error:
        log.debug("the last messages may not have been sent: %s", error)
    except Exception as error:  # noqa: BLE001  the client raises its own tree while it goes down
        log.debug("the last messages may not have been sent: %s", error)
    try:
        await client.close()
    except OSError as error:
        log.debug("the connection broke as it was closed: %s", error)
