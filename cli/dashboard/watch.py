"""The dashboard's eyes: the swarm followed over one connection after another, for as long as it is shown."""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from ...errors import ConnectError, NoServer, PicoclawError, StoreTooNew, UsageError

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...swarm.swarm import Swarm
    from ...swarm.views.nodes import Around

BEAT = 1.0
"""Seconds between two questions to the server whether it is there."""
ANSWER = 2.0
"""Seconds that it may take to answer; then it counts as away."""
AGAIN = 1.0
"""Seconds until a server that is away is looked for again."""
ASKS_AGAIN = 3.0
"""Seconds between two looks for questions of agents."""
REFUSED_AGAIN = 3.0
"""The same where somebody answered and refused."""
PROBED = 10
"""Nodes asked at each beat whether they are there, those silent for longest first."""


class Watch:
    """What is known of the swarm now; `run` keeps it current until it is cancelled.

    A lost connection is given up and made anew from the settings and the run directory's record, so
    that a server that comes back elsewhere is found.
    """

    def __init__(self, loaded: "Loaded") -> None:
        self._loaded = loaded
        self._swarm: Swarm | None = None
        self._last: Around | None = None
        self.address = ""
        """Of the server heard last, without credentials."""
        self.heard: float | None = None
        """When a server was heard last, on the monotonic clock; None: never."""
        self.problem = ""
        """Why nothing is heard now; empty while all is well."""
        self.asks = 0
        """Questions of agents that wait for an answer."""
        self.changed = asyncio.Event()
        """Set when there is something new to show; whoever waits on it clears it."""

    @property
    def current(self) -> bool:
        """Whether what it knows is kept current now."""
        return self._swarm is not None

    def around(self) -> "Around | None":
        """Return who is there; while the server is away, who was; None before the first look."""
        if self._swarm is not None:
            from ...swarm.look import rows_now

            self._last = rows_now(self._swarm)
        return self._last

    async def run(self) -> None:
        """Follow the swarm for ever.

        Raises what connecting raises, but only before the first look and only what waiting cannot cure.
        """
        import nats.errors

        while True:
            pause = AGAIN
            try:
                await self._follow()
            except nats.errors.Error as error:
                self.problem = str(error).removeprefix("nats: ")
            except PicoclawError as error:
                if not _passes(error):
                    if self.heard is None and self._loaded.given("swarm.nats.urls"):
                        raise  # else a shared server may come, which is another one than this
                    pause = REFUSED_AGAIN
                self.problem = str(error)
            self.changed.set()
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        from ...config.urls import redact_url
        from ...gateway.session import open_session

        async with open_session(self._loaded, name="picoclaw dashboard") as swarm:
            url = swarm.client.connected_url
            self.address = redact_url(url.geturl()) if url is not None else ""
            try:
                await self._join(swarm)
                swarm.members.changed = self.changed  # its heartbeats are news here
                self._swarm = swarm
                self.problem = ""
                looked = -ASKS_AGAIN
                while await self._answers(swarm):
                    if time.monotonic() - looked >= ASKS_AGAIN:
                        looked = time.monotonic()
                        await self._look_for_questions(swarm)
                    self.changed.set()
                    await asyncio.sleep(BEAT)
                self.problem = f"the NATS server at {self.address} is away"
            finally:
                self._let_go()

    async def _look_for_questions(self, swarm: "Swarm") -> None:
        from ...swarm.approvals.store import list_open

        with contextlib.suppress(PicoclawError):  # the next look may tell
            self.asks = len(await list_open(swarm))

    async def _join(self, swarm: "Swarm") -> None:
        """Follow the members; the first look asks each node whether it is there."""
        from ...swarm.look import look_around
        from ...swarm.wire import NOT_FOUND, ApiError

        await look_around(swarm)
        self.heard = time.monotonic()
        while await self._answers(swarm):
            try:
                return await swarm.follow_members()
            except ApiError as error:
                # The table lives in memory: after a restart of the server it comes with the first node.
                if error.code not in NOT_FOUND:
                    raise
            await asyncio.sleep(BEAT)
        raise NoServer(f"the NATS server at {self.address} is away")

    async def _answers(self, swarm: "Swarm") -> bool:
        """Ask the server, and the nodes silent for longest, whether they are there."""
        import nats.errors

        if not swarm.client.is_connected:
            return False
        try:
            async with asyncio.timeout(ANSWER):
                await swarm.client.flush()
                self.heard = time.monotonic()
                await self._probe(swarm)
        except (TimeoutError, OSError, nats.errors.Error):
            return False
        return swarm.client.is_connected

    async def _probe(self, swarm: "Swarm") -> None:
        from ...swarm.views.nodes import seen_status

        now = asyncio.get_running_loop().time()
        there = [m for m in swarm.members.table.values() if seen_status(m.sign, now)[0] != "offline"]
        there.sort(key=lambda member: member.sign.last_heard)
        await swarm.members.probe_all(member.beat.node for member in there[:PROBED])

    def _let_go(self) -> None:
        """Keep what is known when the connection goes."""
        self.around()
        self._swarm = None


def _passes(error: PicoclawError) -> bool:
    """Return whether what stands in the way may be gone by itself."""
    return isinstance(error, NoServer) or not isinstance(error, ConnectError | UsageError | StoreTooNew)
