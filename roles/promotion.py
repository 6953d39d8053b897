"""Promotion: a worker takes the coordinator's role while nobody has it, and gives it back.

What to do is decided in `swarm.leadership`; the lease sees to it that one does it. Who is frozen past its
lease stops coordinating first thing when it thaws; what it still writes, compare-and-set refuses.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ..errors import PicoclawError
from ..swarm.leases import Lease
from ..swarm.membership.announcer import Announcer
from ..swarm.membership.leadership import heirs, stance
from ..swarm.membership.probing import OFTEN, PROBES_PER_SECOND
from ..swarm.swarm import Swarm
from .planning.template import Template

if TYPE_CHECKING:
    from .coordinator import Coordinator

log = logging.getLogger(__name__)

DUTY = "leader"
LEASE = timedelta(seconds=6)
"""Longest lease; it is never longer than the node timeout, so that who hung until others took it for dead
knows by its own clock that it leads no more."""
LOOK = timedelta(milliseconds=250)
REST = timedelta(seconds=5)
"""Pause after a term that ended in an error, before the next one."""


@dataclass(slots=True)
class _Term:
    """One time in the role."""

    coordinator: "Coordinator"
    work: asyncio.Task[None]


async def hand_over(coordinator: "Coordinator", swarm: Swarm) -> None:
    """Pass a coordinator's requests on to whoever else coordinates, if anybody does."""
    to = heirs(swarm.members.peers())
    if to:
        await coordinator.hand_over(to)


class Promotion:
    """The role of a coordinator in a process that is none; `run` beside its work, then `leave`."""

    def __init__(self, swarm: Swarm, announcer: Announcer, make: Callable[[], "Coordinator"]) -> None:
        """`make` returns a coordinator for one term."""
        self._swarm = swarm
        self._announcer = announcer
        self._make = make
        length = min(LEASE, swarm.nats.node_timeout)
        self._length = length.total_seconds()
        self._lease = Lease(swarm.leases, DUTY, swarm.me.run, length=length)
        self._renewed = float("-inf")
        """When the lease was last taken or renewed, by the event loop's clock."""
        self._term: _Term | None = None
        self._left_over: Coordinator | None = None
        """Of the last term, while requests of it still name this run."""
        self._rest_until = float("-inf")
        self._wake = asyncio.Event()
        self._leaving = False
        self._left = asyncio.Event()

    @property
    def leads(self) -> bool:
        return self._term is not None

    async def run(self) -> None:
        """Look again and again who leads, until cancelled."""
        swarm = self._swarm
        forget = swarm.prober.watch(self._watched)
        swarm.members.on_change(self._wake.set)
        try:
            while not self._leaving:
                self._wake.clear()
                try:
                    await self._look()
                except PicoclawError as error:
                    log.debug("who leads was not settled: %s", error)
                try:
                    async with asyncio.timeout(LOOK.total_seconds()):
                        await self._wake.wait()
                except TimeoutError:
                    continue
            if self._term is not None:
                await self._step_down("this node stops")
        finally:
            forget()
            swarm.members.off_change(self._wake.set)
            self._left.set()

    def change_templates(self, templates: Sequence[Template]) -> None:
        """Plan by other templates from now on, if this node leads."""
        if self._term is not None:
            self._term.coordinator.change_templates(templates)

    async def leave(self) -> None:
        """Give the role back for good: this node stops."""
        self._leaving = True
        self._wake.set()
        await self._left.wait()

    # --- what is seen ---

    def _watched(self) -> Mapping[str, float]:
        """Return who leads now, for the prober; all observers together ask them so often as one may."""
        members = self._swarm.members
        pause = max(OFTEN, len(members.table) / PROBES_PER_SECOND)
        return {peer.node: pause for peer in members.peers() if not peer.gone}

    @property
    def _held(self) -> bool:
        """Whether the lease is surely still this run's."""
        return asyncio.get_running_loop().time() - self._renewed < self._length

    # --- what is done ---

    async def _look(self) -> None:
        members = self._swarm.members
        if self._term is not None:
            await self._renew()
            if self._term.work.done():
                await self._step_down("its coordinator failed")
                return
        decided = stance(
            members.peers(),
            leads=self._term is not None,
            held=self._held,
            in_touch=members.hears_itself,
            settled=members.settled,
            certain=members.may_declare,
        )
        if decided == "step down":
            await self._step_down("a coordinator is back" if self._held else "its lease ran out")
        elif decided == "contend":
            await self._contend()
        elif decided == "follow" and self._left_over is not None:
            await self._pass_on(self._left_over)

    async def _renew(self) -> None:
        """Renew the lease in time; one that has run out meanwhile is not taken up again."""
        now = asyncio.get_running_loop().time()
        if not self._held or now - self._renewed < self._length / 3:
            return
        try:
            async with asyncio.timeout(self._length / 3):
                held = await self._lease.hold()
        except TimeoutError:
            return  # the next look tries again, until it has run out
        self._renewed = now if held else float("-inf")

    async def _contend(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._rest_until or self._leaving:
            return
        if not await self._lease.hold(gone=self._swarm.members.is_gone):
            return
        self._renewed = now
        self._left_over = None  # the new term finds its requests by their logs
        coordinator = self._make()
        coordinator.in_office = lambda: self._held
        work = self._swarm.tasks.start(self._serve(coordinator), name="coordinate, promoted")
        self._term = _Term(coordinator, work)
        self._announcer.change(replace(self._announcer.advert, leads=True))
        log.warning("Coordinator role taken: no coordinator is alive", extra={"member": self._swarm.me.node})

    async def _serve(self, coordinator: "Coordinator") -> None:
        from ..swarm.janitor import Janitor  # loaded by who leads

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(coordinator.run(), name="coordinate")
                group.create_task(Janitor(self._swarm).run(), name="janitor")
        except ExceptionGroup:
            # The node's own tasks go on, whatever ails the role that it took.
            log.exception("the promoted coordinator failed")
            self._rest_until = asyncio.get_running_loop().time() + REST.total_seconds()
        finally:
            self._wake.set()

    async def _step_down(self, why: str) -> None:
        term, lost = self._term, not self._held
        assert term is not None
        if lost:
            term.work.cancel()
            await asyncio.gather(term.work, return_exceptions=True)
        self._left_over = term.coordinator
        await self._pass_on(term.coordinator)
        term.work.cancel()
        await asyncio.gather(term.work, return_exceptions=True)
        self._term, self._renewed = None, float("-inf")
        self._announcer.change(replace(self._announcer.advert, leads=None))
        log.warning("Coordinator role given back: %s", why, extra={"member": self._swarm.me.node})
        try:
            await self._lease.release()
        except PicoclawError as error:
            log.debug("the leader's lease was not given back, it runs out: %s", error)

    async def _pass_on(self, coordinator: "Coordinator") -> None:
        """Pass the requests of a term on to whoever leads now, as far as somebody does."""
        to = heirs(self._swarm.members.peers())
        if to and await coordinator.hand_over(to):
            self._left_over = None
