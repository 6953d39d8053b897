"""A TCP relay between a client and a nats-server: cuts, delays, losses, and fault points.

    async with Relay(server.url) as relay: ...     # in a test's own loop: it serves while the test awaits
    with relays() as park:                         # in a thread: for blocking tests and real processes
        relay = park.open(server.url)              # picoclaw … --swarm.nats.urls relay.url
        relay.blackhole("down"); relay.heal()      # one way silent: what is sent waits, as TCP has it
        relay.refuse(); relay.heal(); relay.cut()  # no connection at all; all broken once

`up` is from the client to the server, `down` the other way. Every control may be called from any thread.
Fault points (`point`) are in `fault_points`.
"""

import asyncio
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from .fault_points import Act, Match, Point, Then, When, Write, nothing, read_write
from .frames import Frame, Frames, alone

Swallow = Callable[[bytes], bool]
"""Whether a whole message from the server, its first line and body, is to be lost."""
Way = Literal["up", "down", "both"]
CHUNK = 1 << 16
PING, PONG = b"PING\r\n", b"PONG\r\n"


@dataclass(slots=True)
class _Weather:
    """What one direction is like."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    latency: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    stall: float = 0.2
    reset: float = 0.0

    def __post_init__(self) -> None:
        self.open.set()


class Relay:
    """Passes frames on, each way under its own weather; an async context manager."""

    def __init__(self, url: str, *, name: str = "", seed: int = 4222) -> None:
        self.name = name
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 4222
        self._login = parts.netloc.rpartition("@")[0]
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._up, self._down = _Weather(), _Weather()
        self._taking = asyncio.Event()
        self._taking.set()
        self._refusing = False
        self._dice = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._firing: set[asyncio.Task[None]] = set()
        self._links: set[_Link] = set()
        self._points: list[Point] = []
        self.port = 0
        self.swallow: Swallow = lambda message: False
        self.swallowed = 0
        self.connections = 0
        """How many were taken so far."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for link in list(self._links):
            link.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._firing, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where a client connects, with the credentials of the server's address."""
        return f"nats://{self._login + '@' if self._login else ''}127.0.0.1:{self.port}"

    # --- cuts ---

    def hold(self) -> None:
        """Pass nothing on; the connections stay open."""
        self.blackhole("both")

    def release(self) -> None:
        """Pass on what was held, and what comes."""
        self.heal()

    def blackhole(self, way: Way = "both") -> None:
        """Let nothing pass that way until `heal`; nobody is told, and no connection can be made meanwhile."""

        def close() -> None:
            for weather in self._ways(way):
                weather.open.clear()
            self._taking.clear()

        self._call(close)

    def cut(self) -> None:
        """Break every connection; new ones are taken."""
        self._call(self._break_all)

    def refuse(self) -> None:
        """Break every connection, and each new one, until `heal`."""

        def refuse() -> None:
            self._refusing = True
            self._break_all()

        self._call(refuse)

    def heal(self, *, reset: bool = False) -> None:
        """End `blackhole` and `refuse`; with `reset`, connections that stood meanwhile break, as after a long cut.

        Without, what was held is passed on late, as TCP's retransmissions do it.
        """

        def heal() -> None:
            if reset:
                self._break_all()
            self._refusing = False
            for weather in self._ways("both"):
                weather.open.set()
            self._taking.set()

        self._call(heal)

    # --- weather ---

    def slow(self, way: Way = "both", *, latency: float = 0.0, jitter: float = 0.0) -> None:
        """Delay what passes by `latency` and up to `jitter` seconds more; the order stays."""

        def set_it() -> None:
            for weather in self._ways(way):
                weather.latency, weather.jitter = latency, jitter

        self._call(set_it)

    def lossy(self, way: Way = "both", *, loss: float = 0.0, stall: float = 0.2, reset: float = 0.0) -> None:
        """Have each frame be lost with probability `loss`: all behind it waits `stall` seconds for its second sending.

        TCP loses nothing of itself; with probability `reset` the connection breaks instead.
        """

        def set_it() -> None:
            for weather in self._ways(way):
                weather.loss, weather.stall, weather.reset = loss, stall, reset

        self._call(set_it)

    def _ways(self, way: Way) -> tuple[_Weather, ...]:
        return {"up": (self._up,), "down": (self._down,), "both": (self._up, self._down)}[way]

    # --- fault points ---

    def point(
        self,
        match: Match,
        when: When = "before",
        act: Act = nothing,
        *,
        number: int = 1,
        then: Then = "break",
    ) -> Point:
        """Set a fault point: at the `number`-th write that matches, do `act`, before or after it is stored."""
        return self.share(Point(match, when, act, number, then))

    def share(self, point: Point) -> Point:
        """Set a point that other relays have too: the first of them whose client comes to it sets it off."""
        self._call(lambda: self._points.append(point))
        return point

    def clear(self) -> None:
        """Forget all fault points."""
        self._call(self._points.clear)

    def fires(self, write: Write) -> Point | None:
        """Count a write at every point; return the one that it sets off."""
        fired = [point for point in self._points if point.takes(write)]
        return fired[0] if fired else None

    async def fire(self, point: Point, write: Write) -> None:
        """Do a point's harm, whatever becomes of the link meanwhile: a killed client's ends at once."""
        firing = asyncio.create_task(point.fire(write))
        self._firing.add(firing)
        firing.add_done_callback(self._firing.discard)
        await asyncio.shield(firing)

    @property
    def pointed(self) -> bool:
        return bool(self._points)

    # --- within ---

    def _call(self, what: Callable[[], None]) -> None:
        """Run it in the relay's loop, now."""
        if threading.get_ident() == self._thread:
            what()
            return
        done = threading.Event()

        def run() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10), "the relay's loop does not answer"

    def _break_all(self) -> None:
        for link in list(self._links):
            link.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the server is away, or the relay closes: the client sees its connection end
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            return
        await self._taking.wait()
        upstream, downstream = await asyncio.open_connection(self._host, self._port)
        link = _Link(self, writer, downstream)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                for steps in (
                    link.read(reader, link.up, self._up),
                    link.read(upstream, link.down, self._down),
                    link.write_up(self._up),
                    link.write_down(self._down),
                ):
                    group.create_task(steps)
        except* (OSError, _LinkEnded):
            pass
        finally:
            self._links.discard(link)
            await link.close()

    def due(self, weather: _Weather, last: float) -> float | None:
        """Return when a frame that comes now may pass; None: its connection breaks."""
        if weather.reset and self._dice.random() < weather.reset:
            return None
        delay = weather.latency + weather.jitter * self._dice.random()
        if weather.loss and self._dice.random() < weather.loss:
            delay += weather.stall
        return max(last, self._loop.time() + delay) if delay else last


class _LinkEnded(Exception):
    """Raised to end a link when either side has closed it, or a fault broke it."""


_Waiting = asyncio.Queue[tuple[float, Frame] | None]


class _Link:
    """One client's connection and its other half."""

    def __init__(self, relay: Relay, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._relay, self._client, self._server = relay, client, server
        self.up: _Waiting = asyncio.Queue(10_000)
        self.down: _Waiting = asyncio.Queue(10_000)
        self._awaited: dict[str, tuple[Point, Write]] = {}
        """Fault points by the inbox at which the answer to their write comes."""
        self._pings: deque[tuple[Point, Write] | None] = deque()
        """Whose PONG comes next; None is the client's own."""

    def abort(self) -> None:
        for writer in (self._client, self._server):
            with suppress(OSError):
                writer.transport.abort()

    async def close(self) -> None:
        """Close both halves once what was written has gone out."""
        for writer in (self._client, self._server):
            writer.close()
        for writer in (self._client, self._server):
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 2)

    async def read(self, reader: asyncio.StreamReader, into: _Waiting, weather: _Weather) -> None:
        frames, due = Frames(), 0.0
        while data := await reader.read(CHUNK):
            for frame in frames.feed(data):
                when = self._relay.due(weather, due)
                if when is None:
                    raise _LinkEnded
                due = when
                await into.put((due, frame))
        await into.put(None)

    async def _next(self, queue: _Waiting, weather: _Weather) -> Frame:
        found = await queue.get()
        if found is None:
            await weather.open.wait()  # a silent link does not tell that the other side has gone
            raise _LinkEnded
        due, frame = found
        if (pause := due - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(pause)
        await weather.open.wait()
        return frame

    async def write_up(self, weather: _Weather) -> None:
        while True:
            frame = await self._next(self.up, weather)
            if frame.verb == "PING":
                self._pings.append(None)
            elif frame.publishes and self._relay.pointed:
                write = read_write(frame, self._relay.name)
                point = self._relay.fires(write)
                if point is not None:
                    await self._fault(point, write, frame)
                    continue
            self._server.write(frame.raw)
            await self._server.drain()

    async def _fault(self, point: Point, write: Write, frame: Frame) -> None:
        if point.when == "before":
            await self._relay.fire(point, write)
            self._broken_by(point)
            if point.then == "pass":
                self._server.write(frame.raw)
            return
        if write.reply:
            self._awaited[write.reply] = (point, write)
            self._server.write(frame.raw)
        else:
            # The server takes a connection's messages in order: its PONG says that it has this one.
            self._pings.append((point, write))
            self._server.write(frame.raw + PING)

    def _broken_by(self, point: Point) -> None:
        if point.then == "break":
            # The server gets what was sent before: the kernel of a killed process sends it too.
            self._client.transport.abort()
            raise _LinkEnded

    async def write_down(self, weather: _Weather) -> None:
        while True:
            frame = await self._next(self.down, weather)
            if frame.verb == "PONG":
                of = self._pings.popleft() if self._pings else None
                if of is not None:
                    await self._relay.fire(*of)
                    self._broken_by(of[0])
                    continue
            elif frame.subject and (awaited := self._awaited.pop(frame.subject, None)):
                point, write = awaited
                await self._relay.fire(point, write)
                self._broken_by(point)
                if point.then == "lose":
                    continue
            if self._relay.swallow(frame.raw):
                self._relay.swallowed += 1
                continue
            self._client.write(alone(frame) if frame.verb == "INFO" else frame.raw)
            await self._client.drain()


class Park:
    """Relays that serve in a thread of their own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._relays: list[Relay] = []

    def open(self, url: str, *, name: str = "", seed: int = 4222) -> Relay:
        """Open a relay before that server; it closes with the park."""

        async def enter() -> Relay:
            return await Relay(url, name=name, seed=seed).__aenter__()

        relay = asyncio.run_coroutine_threadsafe(enter(), self._loop).result(10)
        self._relays.append(relay)
        return relay

    def close(self) -> None:
        async def leave() -> None:
            for relay in self._relays:
                await relay.__aexit__(None, None, None)

        asyncio.run_coroutine_threadsafe(leave(), self._loop).result(20)


@contextmanager
def relays() -> Iterator[Park]:
    """Serve relays from a thread for a block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relays", daemon=True)
    thread.start()
    park = Park(loop)
    try:
        yield park
    finally:
        park.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
