"""Coordinator: takes requests, owns them, releases their tasks, and watches over who holds them."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta

from ..errors import AppendRefused, PicoclawError, RecordRefused
from ..swarm.bodies import INLINE_LIMIT, pack_request
from ..swarm.delivered import Delivered
from ..swarm.demand import parse_demand
from ..swarm.entries import Accepted
from ..swarm.entries import Owner as OwnerEntry
from ..swarm.fold import RequestHead, fold_request
from ..swarm.follow import Followed
from ..swarm.log import decode
from ..swarm.nesting import DEEPEST, too_deep
from ..swarm.puller import Puller
from ..swarm.records import Request
from ..swarm.release import Share, release
from ..swarm.same_request import same_request
from ..swarm.subjects import REQUEST_STEP, split_log_subject
from ..swarm.swarm import Swarm
from .owner import Owner
from .planning.template import Template

log = logging.getLogger(__name__)

MAX_REQUESTS = 256
"""Requests that one coordinator owns at once; the rest wait in the inbox."""
LOOK_AROUND = timedelta(milliseconds=500)
PROBE_EVERY = timedelta(milliseconds=1050)
"""A little over the pause that two silent probes must be apart."""
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
    ) -> None:
        self._swarm = swarm
        self._templates = templates
        self._can_run_here = can_run_here
        self._max_requests = max_requests
        self._owners: dict[str, Owner] = {}
        self._accepting: set[str] = set()
        self._heads: dict[str, RequestHead] = {}
        """Requests of everybody that have not ended."""
        self._admits: bool | None = None
        """Whether the log has room for further requests; None until that was looked at."""
        self._draining = False
        self._releasing = asyncio.Event()
        self._turn = 0
        self._puller = Puller(
            swarm.wire, free=self._free, take=self._take, node_timeout=swarm.nats.node_timeout
        )

    async def run(self) -> None:
        """Coordinate until cancelled."""
        swarm = self._swarm
        async with self._puller:
            for source in await swarm.inbox.sources():
                self._puller.add(source)
            swarm.on_reconnect(self._puller.reconnected)
            swarm.members.on_change(self._members_changed)
            swarm.follow(swarm.names.log, swarm.names.log_filter(), self._observe)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._puller.run(), name="pull requests")
                group.create_task(self._release_forever(), name="release")
                group.create_task(self._look_around(), name="look around")
                group.create_task(self._probe(), name="probe holders")
                group.create_task(self._watch_admission(), name="watch admission")
                group.create_task(self._keep_consumers(), name="keep consumers")

    def change_templates(self, templates: Sequence[Template]) -> None:
        """Plan by other templates from now on; what is planned stays as it is."""
        self._templates = templates
        for owner in self._owners.values():
            owner.templates = templates

    def drain(self) -> None:
        """Take no more requests; another coordinator goes on with the owned ones."""
        self._draining = True
        self._puller.stop()

    # --- the inbox ---

    def _free(self) -> int:
        if self._draining or not self._admits:
            return 0
        return self._max_requests - len(self._owners) - len(self._accepting)

    def _take(self, delivered: Delivered) -> bool:
        request_id = delivered.subject.rsplit(".", 1)[1]
        if self._free() <= 0 or request_id in self._accepting:
            return False
        self._accepting.add(request_id)
        self._swarm.tasks.start(self._accept(delivered, request_id), name=f"accept {request_id}")
        return True

    async def _accept(self, delivered: Delivered, request_id: str) -> None:
        try:
            request = Request.from_bytes(delivered.data)
            if request.id != request_id:
                log.error("request on %s says that it is %s: refused", delivered.subject, request.id[:64])
                await delivered.terminate("its subject is another request's")
                return
            if too_deep(delivered.data):
                why = f"it is nested so deep, over {DEEPEST} levels, that no entry of the log could hold it"
                log.error("message on %s refused: %s", delivered.subject, why)
                await delivered.terminate(why)
                return
            if len(delivered.data) > INLINE_LIMIT:
                # A foreign client's: with what `accepted` adds it would no longer fit into a message.
                request = await pack_request(request, self._swarm.artifacts)
            await self._write_down(request)
            await delivered.ack()
        except RecordRefused as error:
            log.error("message on %s refused: %s", delivered.subject, error)
            await delivered.terminate(str(error))
        except PicoclawError as error:
            log.warning("request %s not accepted yet: %s", request_id, error)
            await delivered.nak(RESTART_PAUSE)
        finally:
            self._accepting.discard(request_id)
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
                except AppendRefused:
                    head = await self._swarm.log.request_head(request.id)
                    if head.accepted or head.terminal:
                        await self._note_clash(request)
                        return
                    expected = head.seq
        finally:
            if not seq:
                del self._owners[request.id]
        log.info("Request accepted", extra={"request": request.id})
        first = (entry, seq) if expected == 0 else None
        self._swarm.tasks.start(self._carry(request.id, first), name=f"own {request.id}")

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
        self._swarm.tasks.start(self._carry(request_id), name=f"own {request_id}")

    def _new_owner(self, request_id: str) -> Owner:
        return Owner(self._swarm, request_id, self._templates, self._releasing.set, self._can_run_here)

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
            self._puller.slot_freed()

    def _observe(self, followed: Followed) -> None:
        request_id, step = split_log_subject(followed.subject)
        owner = self._owners.get(request_id)
        if owner is not None:
            owner.observe(followed)
        if step == REQUEST_STEP:
            entry = decode(followed)
            head = fold_request(self._heads.get(request_id, RequestHead()), entry, followed.seq, followed.at)
            if not head.owner and not head.terminal:
                # The last message alone does not tell: it is no entry, or one of an older version.
                self._swarm.tasks.start(self._learn_owner(request_id))
            if head.terminal:
                self._heads.pop(request_id, None)
            else:
                self._heads[request_id] = head

    async def _learn_owner(self, request_id: str) -> None:
        """Read who owns a request of which only the last entry is known."""
        try:
            head = await self._swarm.log.request_head(request_id)
        except PicoclawError as error:
            log.debug("owner of %s not read: %s", request_id, error)
            return
        # It may have ended, or gone on, while it was read.
        known = self._heads.get(request_id)
        if not head.terminal and known is not None and head.seq >= known.seq:
            self._heads[request_id] = head

    def _orphans(self) -> list[str]:
        """Return the requests whose owner's run is dead."""
        me, members = self._swarm.me, self._swarm.members
        found = []
        for request_id, head in self._heads.items():
            if request_id in self._owners or request_id in self._accepting or not head.owner:
                continue
            if head.run == me.run or members.run_dead(head.owner, head.run, head.at):
                found.append(request_id)
        return found

    async def _take_over(self, request_id: str) -> None:
        me = self._swarm.me
        try:
            head = await self._swarm.log.request_head(request_id)
            dead = head.owner and self._swarm.members.run_dead(head.owner, head.run, head.at)
            if head.terminal or not head.accepted:
                self._heads.pop(request_id, None)  # purged, or ended: nothing to look after
                return
            if head.run != me.run:
                if not dead:
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

    # --- time passes ---

    def _members_changed(self) -> None:
        self._releasing.set()
        for owner in self._owners.values():
            owner.look_around()

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AROUND.total_seconds())
            if not self._draining:
                for request_id in self._orphans():
                    if self._free() > 0:
                        self._accepting.add(request_id)
                        self._swarm.tasks.start(self._take_over(request_id))
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

    async def _probe(self) -> None:
        me, members = self._swarm.me, self._swarm.members
        while True:
            await asyncio.sleep(PROBE_EVERY.total_seconds())
            holders = {node for owner in self._owners.values() for node in owner.holders()}
            owners = {head.owner for head in self._heads.values() if head.owner}
            await members.probe_all((holders | owners) - {me.node})

    async def _watch_admission(self) -> None:
        while True:
            try:
                admits = await self._swarm.inbox.admits()
            except PicoclawError as error:
                log.debug("size of the log not read: %s", error)
            else:
                if admits is not self._admits:
                    if not admits or self._admits is not None:
                        log.warning("the log is %s", "open again" if admits else "nearly full: requests wait")
                    self._admits = admits
                    self._puller.slot_freed()
            await asyncio.sleep(ADMISSION_EVERY.total_seconds())

    # --- release ---

    async def _release_forever(self) -> None:
        while True:
            await self._releasing.wait()
            self._releasing.clear()
            self.release_now()
            # Let what has just happened gather: one look serves many events.
            await asyncio.sleep(0)

    def release_now(self) -> None:
        """Put what may go now on its lanes."""
        wanted: dict[str, list[Owner]] = defaultdict(list)
        for owner in self._owners.values():
            if owner.releasing:
                for demand in owner.ledger.schedule.demands:
                    wanted[demand].append(owner)
        coordinators = self._swarm.members.coordinators()
        for demand, owners in wanted.items():
            slots = self._swarm.members.slots_for(parse_demand(demand))
            shares = [
                Share(
                    owner.request_id,
                    owner.ledger.request.priority,
                    owner.policies.may_release(demand, slots),
                    owner.ledger.schedule.waiting(demand),
                )
                for owner in owners
            ]
            self._turn += 1
            granted = release(shares, slots=slots, coordinators=coordinators, turn=self._turn)
            for owner in owners:
                number = granted.get(owner.request_id, 0)
                if number:
                    steps = owner.policies.take_ready(demand, number, slots)
                    self._swarm.tasks.start(self._release(owner, steps))

    async def _release(self, owner: Owner, steps: list[str]) -> None:
        try:
            await owner.release(steps)
        except (PicoclawError, ExceptionGroup) as error:
            log.warning("tasks of %s not released: %s", owner.request_id, error)
            await asyncio.sleep(RESTART_PAUSE.total_seconds())
            for step in steps:
                owner.ledger.schedule.give_back(step)
            self._releasing.set()
