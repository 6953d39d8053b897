"""Coordinator: takes requests, owns them, releases their tasks, and watches over who holds them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import AppendRefused, PicoclawError, RecordRefused
from ..swarm.background import Background, background
from ..swarm.bodies import INLINE_LIMIT, pack_request
from ..swarm.delivered import Delivered
from ..swarm.entries import Accepted
from ..swarm.entries import Owner as OwnerEntry
from ..swarm.fold import RequestHead, fold_request
from ..swarm.follow import Followed
from ..swarm.foreign import refused
from ..swarm.inbox import HANDED_ON
from ..swarm.log import decode
from ..swarm.membership.leadership import Leader
from ..swarm.membership.probing import OFTEN
from ..swarm.nesting import DEEPEST, too_deep
from ..swarm.puller import Puller
from ..swarm.records import Request
from ..swarm.same_request import same_request
from ..swarm.subjects import REQUEST_STEP, split_log_subject
from ..swarm.swarm import Swarm
from .admission import Admission
from .firing import is_fired, take_firing
from .owner import Owner
from .planning.template import Template
from .releasing import Releaser

if TYPE_CHECKING:
    from .thinking.mind import Mind

log = logging.getLogger(__name__)

MAX_REQUESTS = 256
"""Requests that one coordinator owns at once; the rest wait in the inbox."""
BEYOND = 4
"""How many times as many it may own where others wait for them: those that agents handed on, and orphans.

With one limit for all, requests that wait for what they handed on would keep that from being taken.
"""
LOOK_AROUND = timedelta(milliseconds=500)
GATHER = timedelta(milliseconds=20)
"""Least pause between two looks: what happens at once is looked at once."""
READ_AT_ONCE = 8
"""Logs of others' requests that are read at once: a foreign client may write on any number of them."""
PASS_ON = timedelta(seconds=5)
"""How long requests may take to pass to another coordinator."""
ADMISSION_EVERY = timedelta(seconds=2)
CONSUMERS_EVERY = timedelta(seconds=3)
RESTART_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)


class Coordinator:
    """One coordinator's requests."""

    def __init__(
        self,
        swarm: Swarm,
        templates: Sequence[Template],
        *,
        can_run_here: Callable[[str, str | None], bool],
        max_requests: int = MAX_REQUESTS,
        mind: "Mind | None" = None,
        no_mind: str = "",
    ) -> None:
        """`mind`: the model that plans and writes reports; None: there is none, for which `no_mind` says why
        where one is set."""
        self._swarm = swarm
        self._templates = templates
        self._can_run_here = can_run_here
        self._max_requests = max_requests
        self._mind = mind
        self._no_mind = no_mind
        self._owners: dict[str, Owner] = {}
        self._accepting: set[str] = set()
        self._heads: dict[str, RequestHead] = {}
        """Requests of everybody that have not ended."""
        self._learning: set[str] = set()
        """Those whose log is about to be read, their last message being no entry."""
        self._reading = asyncio.Semaphore(READ_AT_ONCE)
        self._admission = Admission()
        self._draining = False
        self._look = asyncio.Event()
        """Somebody may have died, or passed a request on."""
        self.in_office: Callable[[], bool] = lambda: True
        """Whether it may take requests now; a promoted one may while its lease lasts."""
        self._fewer = asyncio.Event()
        """A request was accepted or refused, or is owned no more."""
        self._releaser = Releaser(swarm, self._owners, self._heads, self._start)
        self._tasks: Background | None = None
        self._puller = Puller(
            swarm.wire, free=self._free, take=self._take, node_timeout=swarm.nats.node_timeout
        )

    async def run(self) -> None:
        """Coordinate until cancelled."""
        swarm = self._swarm
        async with (
            background() as self._tasks,
            self._puller,
            swarm.following(swarm.names.log, swarm.names.log_filter(), self._observe) as caught_up,
            self._releaser.quotas.answering(caught_up, self._heads),
        ):
            await self._add_sources()
            swarm.on_reconnect(self._puller.reconnected)
            swarm.members.on_change(self._members_changed)
            forget = swarm.prober.watch(self._watched)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pull(), name="pull requests")
                    group.create_task(self._look_at_all(caught_up), name="look at all")
                    group.create_task(self._releaser.run(), name="release")
                    group.create_task(self._look_around(), name="look around")
                    group.create_task(self._watch_admission(), name="watch admission")
                    group.create_task(self._keep_consumers(), name="keep consumers")
                    group.create_task(self._releaser.quotas.run(), name="count for the quotas")
            finally:
                forget()
                swarm.off_reconnect(self._puller.reconnected)
                swarm.members.off_change(self._members_changed)

    async def _pull(self) -> None:
        await self._add_sources()
        await self._puller.run()

    async def _add_sources(self) -> None:
        for source in await self._swarm.inbox.sources():
            ordinary = source.level != HANDED_ON
            self._puller.add(replace(source, free=self._no_more) if ordinary else source)

    async def _look_at_all(self, caught_up: asyncio.Event) -> None:
        """Look for orphans as soon as it is known whose requests there are."""
        await caught_up.wait()
        self._look.set()

    def _start(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        assert self._tasks is not None  # only what `run` began calls this
        self._tasks.start(work, name=name)

    def change_templates(self, templates: Sequence[Template]) -> None:
        """Plan by other templates from now on; what is planned stays as it is."""
        self._templates = templates
        for owner in self._owners.values():
            owner.templates = templates

    def drain(self) -> None:
        """Take no more requests; another coordinator goes on with the owned ones."""
        self._draining = True
        self._puller.stop()

    async def hand_over(self, heirs: Sequence[Leader]) -> bool:
        """Take no more, and pass every request of this run on; return whether none is left.

        By compare-and-set on each request's log: it may end, or be taken over, meanwhile. It works
        also once `run` has ended. `heirs` are living coordinators, at least one.
        """
        self.drain()
        try:
            async with asyncio.timeout(PASS_ON.total_seconds()):
                while self._accepting:
                    await self._fewer.wait()
                    self._fewer.clear()
                async with asyncio.TaskGroup() as group:
                    for number, request_id in enumerate(sorted(self.mine)):
                        group.create_task(self._pass_on(request_id, heirs[number % len(heirs)]))
                while self._owners:
                    await self._fewer.wait()
                    self._fewer.clear()
        except TimeoutError:
            log.warning("%d requests are not passed on yet", len(self.mine))
        return not self.mine

    @property
    def mine(self) -> set[str]:
        """The requests whose log names this run."""
        me = self._swarm.me.run
        return {request_id for request_id, head in self._heads.items() if head.run == me} | set(self._owners)

    async def _pass_on(self, request_id: str, heir: Leader) -> None:
        me, log_ = self._swarm.me, self._swarm.log
        try:
            while True:
                head = await log_.request_head(request_id)
                if head.terminal or head.run != me.run:
                    self._heads.pop(request_id, None)
                    return
                entry = OwnerEntry(by=me.node, owner=heir.node, run=heir.run)
                try:
                    seq = await log_.append(request_id, REQUEST_STEP, entry, expected=head.seq)
                except AppendRefused:
                    continue
                # Ahead of the follower, which may have been stopped.
                self._heads[request_id] = fold_request(head, entry, seq, head.at)
                log.info("Request handed over", extra={"request": request_id, "to": heir.node})
                return
        except PicoclawError as error:
            log.warning("request %s not handed over: %s", request_id, error)

    # --- the inbox ---

    def _free(self) -> int:
        """Return how many requests may be taken from the inbox, once it is full those of the highest level alone."""
        if not self._admission.open:
            return 0
        room = self._room()
        return room if room > 0 else self._room(BEYOND)

    def _no_more(self) -> int | None:
        """Return 0 where nothing is to be taken but what others wait for; None: there is room for all."""
        return None if self._room() > 0 else 0

    def _room(self, times: int = 1) -> int:
        """Return how many may be taken over: what was accepted must end, however full the log is."""
        if self._draining or not self.in_office():
            return 0
        return times * self._max_requests - len(self._owners) - len(self._accepting)

    def _take(self, delivered: Delivered) -> bool:
        level, request_id = delivered.subject.rsplit(".", 2)[1:]
        if self._free() <= 0 or request_id in self._accepting:
            return False
        if level != str(HANDED_ON) and self._no_more() is not None:
            return False
        self._accepting.add(request_id)
        self._admission.take(request_id, len(delivered.data))
        self._start(self._accept(delivered, request_id), name=f"accept {request_id}")
        return True

    async def _accept(self, delivered: Delivered, request_id: str) -> None:
        try:
            fired = is_fired(request_id)
            request = (
                await take_firing(self._swarm, delivered) if fired else Request.from_bytes(delivered.data)
            )
            if request is None:
                await delivered.ack()  # the schedule fires more often than it is due
                return
            if request.id != request_id and not fired:
                refused(log, delivered.subject, f"it says that it is {request.id[:64]}")
                await delivered.terminate("its subject is another request's")
                return
            if too_deep(delivered.data):
                why = f"it is nested so deep, over {DEEPEST} levels, that no entry of the log could hold it"
                refused(log, delivered.subject, why)
                await delivered.terminate(why)
                return
            if len(delivered.data) > INLINE_LIMIT:
                # A foreign client's: with what `accepted` adds it would no longer fit into a message.
                request = await pack_request(request, self._swarm.artifacts)
            await self._write_down(request)
            await delivered.ack()
        except RecordRefused as error:
            refused(log, delivered.subject, error)
            await delivered.terminate(str(error))
        except PicoclawError as error:
            log.warning("request %s not accepted yet: %s", request_id, error)
            await delivered.nak(RESTART_PAUSE)
        except asyncio.CancelledError:
            await delivered.nak()  # this run coordinates no more, and others need not wait for the ack wait
            raise
        except Exception:
            # Whatever lies in the inbox never takes the coordinator with it, nor the next one that it goes to.
            log.exception("request %s not accepted: this is a defect", request_id)
            await delivered.nak(LONGEST_PAUSE)
        finally:
            self._accepting.discard(request_id)
            self._fewer.set()
            self._puller.slot_freed()

    async def _write_down(self, request: Request) -> None:
        """Append `accepted` and own the request, unless somebody was first."""
        me = self._swarm.me
        entry = Accepted(by=me.node, owner=me.node, run=me.run, request=request)
        if request.id in self._owners:
            return
        # It observes the log from before its first entry on, so that nothing need be read.
        self._owners[request.id] = self._new_owner(request.id)
        expected, seq = 0, 0
        try:
            while not seq:
                try:
                    seq = await self._swarm.log.append(request.id, REQUEST_STEP, entry, expected=expected)
                except AppendRefused as refused:
                    head = await self._swarm.log.request_head(request.id)
                    if refused.written and head.run == me.run and not head.terminal:
                        # `accepted` does stand there, and a word to whoever owns it on top: that is this run.
                        expected = seq = head.seq
                    elif head.accepted or head.terminal:
                        await self._note_clash(request)
                        return
                    else:
                        expected = head.seq
        finally:
            if not seq:
                del self._owners[request.id]
        log.info("Request accepted", extra={"request": request.id})
        first = (entry, seq) if expected == 0 else None
        self._start(self._carry(request.id, first), name=f"own {request.id}")

    async def _note_clash(self, request: Request) -> None:
        """Name a request that is dropped because another one was accepted under its key.

        A door refuses it with IdempotencyClash; two doors at the same moment cannot see each other.
        """
        async for followed in self._swarm.log.history(request.id, REQUEST_STEP):
            entry = decode(followed)
            if isinstance(entry, Accepted) and not same_request(request, entry.request):
                log.error(
                    "Request dropped: its idempotency key is another request's", extra={"request": request.id}
                )

    # --- ownership ---

    def own(self, request_id: str) -> None:
        """Carry a request whose log says that this run owns it."""
        if request_id in self._owners:
            return
        owner = self._new_owner(request_id)
        self._owners[request_id] = owner
        self._start(self._carry(request_id), name=f"own {request_id}")

    def _new_owner(self, request_id: str) -> Owner:
        wake, can_run = self._releaser.wake, self._can_run_here
        return Owner(self._swarm, request_id, self._templates, wake, can_run, self._mind, self._no_mind)

    async def _carry(self, request_id: str, first: tuple[Accepted, int] | None = None) -> None:
        pause = RESTART_PAUSE
        try:
            while True:
                try:
                    await self._owners[request_id].run(*(first or ()))
                    return
                except Exception as error:
                    # The log is the memory: begin again from its fold. One request, whatever is wrong
                    # with it, never takes the coordinator and the others with it.
                    log.warning("request %s begins again from its log: %s", request_id, error, exc_info=True)
                first = None
                await asyncio.sleep(pause.total_seconds())
                pause = min(2 * pause, LONGEST_PAUSE)
                self._owners[request_id] = self._new_owner(request_id)
        finally:
            del self._owners[request_id]
            self._fewer.set()
            self._puller.slot_freed()

    def _observe(self, followed: Followed) -> None:
        request_id, step = split_log_subject(followed.subject)
        owner = self._owners.get(request_id)
        if owner is not None:
            owner.observe(followed)
        if step == REQUEST_STEP:
            entry = decode(followed)
            head = fold_request(self._heads.get(request_id, RequestHead()), entry, followed.seq, followed.at)
            if not head.owner and not head.terminal and request_id not in self._learning:
                # The last message alone does not tell: it is no entry, or one of an older version.
                self._learning.add(request_id)
                self._start(self._learn_owner(request_id))
            if head.terminal:
                self._heads.pop(request_id, None)
            else:
                self._heads[request_id] = head
                if head.run == self._swarm.me.run and request_id not in self._owners:
                    self._look.set()  # somebody passed it on to this run

    async def _learn_owner(self, request_id: str) -> None:
        """Read who owns a request of which only the last entry is known."""
        try:
            async with self._reading:
                self._learning.discard(request_id)
                head = await self._swarm.log.request_head(request_id)
        except PicoclawError as error:
            log.debug("owner of %s not read: %s", request_id, error)
            return
        # It may have ended, or gone on, while it was read.
        known = self._heads.get(request_id)
        if known is None or head.seq < known.seq:
            return
        if head.accepted and not head.terminal:
            self._heads[request_id] = head
        else:
            del self._heads[request_id]  # only foreign messages stand there, or it has ended

    def _orphans(self) -> list[str]:
        """Return the requests whose owner's run is dead, or coordinates no more."""
        me = self._swarm.me
        found = []
        for request_id, head in self._heads.items():
            if request_id in self._owners or request_id in self._accepting or not head.owner:
                continue
            if head.run == me.run or self._deserted(head):
                found.append(request_id)
        return found

    def _deserted(self, head: RequestHead) -> bool:
        """Return whether nobody carries a request: one may be handed to a worker as it gives the role back."""
        members = self._swarm.members
        return members.run_dead(head.owner, head.run, head.at) or members.leads_no_more(
            head.owner, head.run, head.at
        )

    async def _take_over(self, request_id: str) -> None:
        me = self._swarm.me
        try:
            head = await self._swarm.log.request_head(request_id)
            deserted = bool(head.owner) and self._deserted(head)
            if head.terminal or not head.accepted:
                self._heads.pop(request_id, None)  # purged, or ended: nothing to look after
                return
            if head.run != me.run:
                if not deserted:
                    return
                entry = OwnerEntry(by=me.node, owner=me.node, run=me.run)
                await self._swarm.log.append(request_id, REQUEST_STEP, entry, expected=head.seq)
                log.warning("Request taken over", extra={"request": request_id, "from": head.owner})
            self.own(request_id)
        except AppendRefused:
            return  # another coordinator was first
        except PicoclawError as error:
            log.warning("request %s not taken over yet: %s", request_id, error)
        finally:
            self._accepting.discard(request_id)
            self._fewer.set()

    # --- time passes ---

    def _members_changed(self) -> None:
        self._releaser.wake()
        self._look.set()
        for owner in self._owners.values():
            owner.look_around()

    async def _look_around(self) -> None:
        while True:
            self._look.clear()
            for request_id in self._orphans() if self._room(BEYOND) > 0 else ():
                if self._room(BEYOND) > 0:
                    self._accepting.add(request_id)
                    self._start(self._take_over(request_id))
            await asyncio.sleep(GATHER.total_seconds())
            try:
                async with asyncio.timeout(LOOK_AROUND.total_seconds()):
                    await self._look.wait()
            except TimeoutError:
                self._members_changed()

    async def _keep_consumers(self) -> None:
        """Make again what somebody deleted, or what went with a store that was emptied."""
        while True:
            await asyncio.sleep(CONSUMERS_EVERY.total_seconds())
            self._swarm.lanes.forget_made()
            try:
                await self._swarm.inbox.sources()
            except PicoclawError as error:
                log.debug("consumers of the inbox not looked after: %s", error)

    def _watched(self) -> Mapping[str, float]:
        """Return whose death would matter here, for the prober."""
        holders = {node for owner in self._owners.values() for node in owner.holders()}
        owners = {head.owner for head in self._heads.values() if head.owner}
        return dict.fromkeys((holders | owners) - {self._swarm.me.node}, OFTEN)

    async def _watch_admission(self) -> None:
        told = False
        while True:
            try:
                room = await self._swarm.inbox.room()
            except PicoclawError as error:
                log.debug("size of the log not read: %s", error)
            else:
                first, was = not self._admission.looked, self._admission.open
                owners = self._owners.values()
                unplanned = {owner.request_id for owner in owners if not owner.ledger.planned}
                self._admission.look(
                    room,
                    unplanned=unplanned | self._accepting,
                    unfinished=sum(o.ledger.schedule.unfinished for o in owners if o.ledger.planned),
                    coordinators=self._swarm.members.coordinators(),
                )
                now = self._admission.open
                if now is not told and not (now and first):
                    log.warning("the log is %s", "open again" if now else "nearly full: requests wait")
                told = now
                if now and not was:
                    self._puller.slot_freed()
            await asyncio.sleep(ADMISSION_EVERY.total_seconds())
