"""Slots: the leases that hold the jobs of a capped capability to its cap in the whole swarm.

A worker holds a slot before it has a pull out, and until the job has ended; it is renewed from outside
the job. A slot whose holder is known dead is free at once, one whose holder is silent after a lease's
length, measured by the contender's own monotonic clock. A holder that could not renew for so long
ends the jobs of its slots first thing: they may be somebody else's by now (DESIGN.md section 5).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from ...errors import AppendRefused, RecordRefused, SwarmError, SwarmTimeout
from ..follow import Followed
from ..foreign import warn_foreign
from ..kv import as_json
from ..log import snapshot
from ..membership.liveness import found_absent
from ..records import read_json
from ..subjects import token
from ..swarm import Swarm
from .slot_rules import RemoveSlot, SlotRecord, TakeSlot, lowest_free, next_slot

log = logging.getLogger(__name__)

SLOT = "slot"
"""First token of the keys in the bucket of leases."""
READ = timedelta(seconds=10)
FORGOTTEN = 600.0
"""Seconds after which a slot that was not renewed is nobody's, whatever the lease's length."""
SETTLE = 2.0
"""Seconds after a change of the limits in which no slot is taken: whoever has jobs of a capability that
was not capped before takes slots for them first."""


@dataclass(slots=True, eq=False)
class Held:
    """A slot that this process holds."""

    capability: str
    index: int
    revision: int
    renewed: float
    """When its last successful renewal was sent, monotonic seconds; a contender counts from later on."""
    taken: float
    idle_since: float
    user: object | None = None
    """The job that it is held for."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A slot's record as the bucket's follower told it."""

    revision: int
    since: float
    """When it was first seen at this revision, monotonic seconds."""
    node: str = ""
    run: str = ""
    at: float = 0.0
    """Server time of its last renewal."""


class Slots:
    """The slots of one process."""

    def __init__(self, swarm: Swarm, *, length: timedelta, on_lost: Callable[[object, str], None]) -> None:
        """`length` of the leases; `on_lost` ends the job whose slot of a capability was lost."""
        self._swarm = swarm
        self._bucket = swarm.leases
        self._length = length.total_seconds()
        self._on_lost = on_lost
        self._seen: dict[str, dict[int, _Seen]] = {}
        """By the token of the capability, and the slot's number."""
        self._held: list[Held] = []
        self._listeners: list[Callable[[], None]] = []
        self._following: asyncio.Event | None = None
        self._writing = asyncio.Lock()
        """One slot is taken after another: what an unanswered write left is told from what is being written."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a slot may have come free, here or elsewhere."""
        self._listeners.append(listener)

    # --- what is capped ---

    @property
    def caps(self) -> Mapping[str, int]:
        return self._swarm.live.record.caps

    def capped(self, capabilities: Iterable[str]) -> tuple[str, ...]:
        """Return those of some capabilities that have a cap, in order."""
        caps = self.caps
        return tuple(sorted({name for name in capabilities if name in caps})) if caps else ()

    async def follow(self) -> None:
        """Know who holds slots; costs nothing before the first cap is set."""
        if self._following is None:
            bucket = self._bucket
            self._swarm.on_reconnect(self._reconnected)
            self._following = self._swarm.follow(
                bucket.stream, bucket.subject(f"{SLOT}.>"), self._take, on_reset=self._reset
            )
        try:
            async with asyncio.timeout(READ.total_seconds()):
                await self._following.wait()
        except TimeoutError:
            raise SwarmTimeout("the slots of capped capabilities could not be read in time") from None

    def _take(self, followed: Followed) -> None:
        capability, index = followed.subject.rsplit(".", 2)[-2:]
        if not index.isdecimal():
            return
        known = self._seen.setdefault(capability, {}).get(int(index))
        if known is not None and followed.seq <= known.revision:
            return
        seen = _Seen(followed.seq, self._now, at=followed.at)
        if followed.data:
            try:
                record = read_json(followed.data, "the slot")
                seen = _Seen(followed.seq, self._now, str(record["node"]), str(record["holder"]), followed.at)
            except (RecordRefused, KeyError, TypeError) as error:
                warn_foreign(log, followed.subject, error)
                # It lasts like any other holder's.
                seen = _Seen(followed.seq, self._now, run="?", at=followed.at)
        self._seen[capability][int(index)] = seen
        if not seen.run:
            self._tell()

    def _reset(self) -> None:
        self._seen.clear()

    def _reconnected(self) -> None:
        """Count every holder's silence anew: while this process was cut off it heard of no renewal."""
        now = self._now
        for slots in self._seen.values():
            for index, seen in slots.items():
                slots[index] = _Seen(seen.revision, now, seen.node, seen.run, seen.at)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    # --- for jobs ---

    def idle(self, capability: str) -> list[Held]:
        """Return the slots of a capability that a job may begin in now.

        They are held for none, are sure to be held still, and no more are held than the cap allows.
        """
        if self._over(capability):
            return []
        now = self._now
        return [
            held
            for held in self._held
            if held.capability == capability and held.user is None and now - held.renewed < self._length / 2
        ]

    def _over(self, capability: str) -> bool:
        """Whether more slots are held than the cap allows: it was lowered, or set while jobs ran."""
        slots = self._seen.get(token(capability), {})
        return sum(bool(seen.run) for seen in slots.values()) > self.caps.get(capability, 0)

    def free(self, capabilities: Iterable[str], *, within: float) -> int | None:
        """Return how many jobs with these capabilities may be pulled for; None: none of them is capped.

        Only slots that have been idle for less than `within` seconds count.
        """
        capped = self.capped(capabilities)
        if not capped:
            return None
        now = self._now
        return min(sum(1 for held in self.idle(name) if now - held.idle_since < within) for name in capped)

    def bind(self, capabilities: Iterable[str], user: object) -> bool:
        """Give a job an idle slot of each capped capability; False: one is missing, and nothing changed."""
        found = [self.idle(name) for name in self.capped(capabilities) if not self._has(user, name)]
        if not all(found):
            return False
        for slots in found:
            # The highest number, so that the lowest stay free for whoever comes.
            slots[-1].user = user
        return True

    def _has(self, user: object, capability: str) -> bool:
        return any(held.user is user and held.capability == capability for held in self._held)

    def unbind(self, user: object) -> None:
        """Take a job's slots back: it has ended."""
        for held in self._held:
            if held.user is user:
                held.user = None
                held.idle_since = self._now
        self._tell()

    # --- taking and giving back ---

    def holders(self, capability: str) -> set[str]:
        """Return the nodes that hold slots of a capability, as far as this process has heard."""
        return {seen.node for seen in self._seen.get(token(capability), {}).values() if seen.run}

    async def take(self, capability: str) -> bool:
        """Take one more slot, held for no job yet; return False where none can be had now.

        Raises SwarmError.
        """
        cap = self.caps.get(capability)
        if not cap or self._swarm.members.server.now() - self._swarm.live.changed_at < SETTLE:
            return False
        await self.follow()
        async with self._writing:
            match next_slot(self._records(capability), cap):
                case TakeSlot(index, revision):
                    return await self._write(capability, index, revision)
                case RemoveSlot(index, revision):
                    await self._remove(capability, index, revision)
        return False

    async def adopt(self, capability: str, user: object) -> None:
        """Take a slot for a job that runs already, if need be above the cap: nobody new begins until below."""
        await self.follow()
        async with self._writing:
            while not self._has(user, capability):
                records = self._records(capability)
                free = lowest_free(records, len(records) + 1)
                assert free is not None
                if await self._write(capability, free.index, free.revision, user=user):
                    return
                await asyncio.sleep(0.05)

    def _records(self, capability: str) -> dict[int, SlotRecord]:
        return {
            index: SlotRecord(seen.revision, seen.run, self._lapsed(capability, index, seen))
            for index, seen in self._seen.get(token(capability), {}).items()
        }

    def _lapsed(self, capability: str, index: int, seen: _Seen) -> bool:
        if not seen.run:
            return False
        if seen.run == self._swarm.me.run:
            # Mine, and not held: a write whose answer was lost.
            return not any(held.capability == capability and held.index == index for held in self._held)
        members = self._swarm.members
        if members.proven_dead(seen.node, seen.run, seen.at):
            return True
        member = members.table.get(seen.node)
        known = member is not None and member.beat.run == seen.run
        if member is not None and known and members.may_declare and found_absent(member.sign):
            return True
        # Silence alone is waited out: a holder that is cut off has a lease's length to end its jobs.
        return self._now - seen.since > self._length

    async def _write(self, capability: str, index: int, revision: int, *, user: object | None = None) -> bool:
        me, sent = self._swarm.me, self._now
        record = as_json({"capability": capability, "holder": me.run, "node": me.node})
        try:
            new = await self._bucket.put(_key(capability, index), record, expected=revision)
        except AppendRefused:
            await self._reread(capability, index)  # somebody was first, or its record was removed
            return False
        self._note(capability, index, _Seen(new, self._now, me.node, me.run))
        self._held.append(Held(capability, index, new, sent, sent, self._now, user))
        return True

    async def _reread(self, capability: str, index: int) -> None:
        """Take a record as it stands; a removal is told by no message."""
        stored, revision = await self._bucket.read(_key(capability, index))
        if stored is None and revision == 0:
            self._seen.setdefault(token(capability), {})[index] = _Seen(0, self._now)
        elif stored is None:
            self._note(capability, index, _Seen(revision, self._now))

    def _note(self, capability: str, index: int, seen: _Seen) -> None:
        slots = self._seen.setdefault(token(capability), {})
        if index not in slots or slots[index].revision < seen.revision:
            slots[index] = seen

    async def _remove(self, capability: str, index: int, revision: int) -> None:
        try:
            await self._bucket.delete(_key(capability, index), expected=revision)
        except AppendRefused:
            return

    async def give_back(self, held: Held) -> None:
        """Give a slot back, unless a job has it now."""
        if held in self._held and held.user is None:
            self._held.remove(held)
            await self._let_go(held)

    async def _let_go(self, held: Held) -> None:
        try:
            await self._remove(held.capability, held.index, held.revision)
        except SwarmError as error:
            log.debug("slot of %s not given back: %s", held.capability, error)  # it lapses

    @property
    def holds_any(self) -> bool:
        return bool(self._held)

    async def give_back_idle(self, longer_than: float, keep: Callable[[Held], bool]) -> int:
        """Give back what has been idle for so long, in seconds, and what is not to be kept; return how many.

        A job may begin in one of them while another one is on its way.
        """
        now = self._now
        going = [
            held
            for held in self._held
            if held.user is None
            and (
                now - held.idle_since >= longer_than
                or held.index >= self.caps.get(held.capability, 0)
                or self._over(held.capability)
                or not keep(held)
            )
        ]
        for held in going:
            await self.give_back(held)
        return sum(held not in self._held for held in going)

    async def keep_alive(self) -> None:
        """Renew every slot at a third of its length; until cancelled."""
        while True:
            now = self._now
            due = [held for held in self._held if now - held.renewed >= self._length / 3]
            await asyncio.gather(*(self._renew(held) for held in due))
            await asyncio.sleep(min(self._length / 12, 1.0))

    async def end_late(self) -> None:
        """End the jobs of slots that could not be renewed for a lease's length; until cancelled.

        This process was frozen, or is cut off. It waits for nobody's answer.
        """
        while True:
            now = self._now
            for held in [held for held in self._held if now - held.renewed >= self._length * 0.9]:
                self._lose(held, "it could not be renewed in time")
            await asyncio.sleep(min(self._length / 12, 0.25))

    async def _renew(self, held: Held) -> None:
        me, sent = self._swarm.me, self._now
        record = as_json({"capability": held.capability, "holder": me.run, "node": me.node})
        key = _key(held.capability, held.index)
        try:
            held.revision = await self._bucket.put(key, record, expected=held.revision)
        except AppendRefused:
            # My own renewal, whose answer was lost, may be what stands there.
            try:
                stored = await self._bucket.get(key)
            except SwarmError as error:
                log.debug("slot of %s not read: %s", held.capability, error)
                return
            if stored is None or stored.data != record:
                self._lose(held, "somebody else has it")
                return
            held.revision = stored.seq
        except SwarmError as error:
            log.debug("slot of %s not renewed: %s", held.capability, error)
            return
        held.renewed = sent
        if held not in self._held:
            # It was given back meanwhile, at the revision before this one.
            await self._let_go(held)
            return
        self._note(held.capability, held.index, _Seen(held.revision, self._now, me.node, me.run))

    def _lose(self, held: Held, why: str) -> None:
        if held in self._held:
            self._held.remove(held)
            if held.user is not None:
                log.warning("slot of %s lost: %s", held.capability, why)
                self._on_lost(held.user, held.capability)


def _key(capability: str, index: int) -> str:
    return f"{SLOT}.{token(capability)}.{index}"


async def remove_orphans(swarm: Swarm) -> None:
    """Remove what is left of slots that nobody has held for long; a holder renews far more often."""
    bucket = swarm.leases
    records = await snapshot(
        swarm.wire, bucket.stream, bucket.subject(f"{SLOT}.>"), deliver="last_per_subject"
    )
    forgotten = max(FORGOTTEN, 2 * swarm.nats.ack_wait.total_seconds())
    for followed in records:
        if swarm.members.server.now() - followed.at > forgotten:
            # Up to this revision only: somebody may just have taken it.
            last = {"filter": followed.subject, "seq": followed.seq + 1}
            await swarm.wire.api(f"STREAM.PURGE.{bucket.stream}", last)
