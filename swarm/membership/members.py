"""Members: who is in the swarm, by heartbeats received and probes sent.

One table per process, filled by a follower of MEMBERS; `liveness` says what may be concluded.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from ...errors import PermissionDenied, RecordRefused, SwarmTimeout
from ..demand import Demand, Offer, serves
from ..fold import TaskHead
from ..follow import Followed
from ..foreign import warn_foreign
from ..rules import HolderEvidence
from ..subjects import Names
from ..wire import NobodyListens, Wire
from .heartbeat import Heartbeat
from .leadership import Peer
from .liveness import (
    SETTLED_AFTER,
    NodeStatus,
    OwnEchoes,
    Sign,
    echo,
    is_dead,
    may_declare,
    node_status,
    settled,
)
from .probing import PROBES_PER_SECOND
from .server_clock import ServerClock

log = logging.getLogger(__name__)

PROBE_TIMEOUT = timedelta(seconds=1)
FORGET_AFTER = 600.0
"""Seconds after which an offline node leaves the table."""
FORGET_RUNS_AFTER = 3600.0
"""Seconds after which a run that was replaced is no longer remembered."""


@dataclass(frozen=True, slots=True)
class Member:
    """One node as this process sees it."""

    beat: Heartbeat
    sign: Sign
    seen_at: float
    """Server time of its last heartbeat."""
    born: float = 0.0
    """Server time at which its run began, at the latest; of two runs of one name the later one counts."""

    @property
    def offer(self) -> Offer:
        return self.beat.offer

    @property
    def leads(self) -> bool:
        """Whether it coordinates, by its role or promoted."""
        return self.beat.role == "coordinator" or bool(self.beat.leads)


def _says(beat: Heartbeat) -> tuple[object, ...]:
    """Return what of a heartbeat others act on at once when it changes."""
    return beat.offer, beat.slots, beat.draining, beat.leads


class Members:
    """The table of nodes, and what this process may conclude from it."""

    settled_after = SETTLED_AFTER

    def __init__(
        self,
        wire: Wire,
        names: Names,
        *,
        me: str,
        run: str,
        interval: timedelta,
        node_timeout: timedelta,
        clock: Callable[[], float],
    ) -> None:
        """`me` and `run` are empty for a process that is no node; it may declare nobody dead."""
        self._wire = wire
        self._names = names
        self._me = me
        self._run = run
        self._node_timeout = node_timeout.total_seconds()
        self._longest_gap = max(2.5 * interval.total_seconds(), interval.total_seconds() + 1.0)
        self._clock = clock
        self._table: dict[str, Member] = {}
        self._earlier_runs: dict[str, float] = {}
        """Runs whose name a newer run bears, and since when that is known here."""
        self._slots: dict[Demand, int] = {}
        """Answers of `slots_for` until the table changes: to ask a thousand nodes takes 15 ms."""
        self._echoes = OwnEchoes()
        self._deaf_since: float | None = None
        """When a node's connection came back, until it hears itself again."""
        self.server = ServerClock(clock)
        self.changed = asyncio.Event()
        """Set whenever the table changes; whoever waits on it clears it."""
        self._listeners: list[Callable[[], None]] = []
        self._here_since = 0.0
        """Server time of the last reconnect: what was stored before may be of a server that went."""
        self._probes = 0
        self._concluded: dict[str, int] = {}
        """Number of the last probe of each node that came to something; an earlier one says nothing more."""
        self._echo_wanted: Callable[[], None] | None = None
        self._in_doubt = False
        """Somebody's time is up, and only an own heartbeat from after that can prove the silence his."""
        self._offline: set[str] = set()
        self.replaced: str | None = None
        """The run that bears this node's own name now; None: still this one."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a node joins, leaves or changes what it offers."""
        self._listeners.append(listener)

    def on_doubt(self, ask: Callable[[], None]) -> None:
        """Call `ask` when an own heartbeat, sent now, would settle whether a silent node is dead."""
        self._echo_wanted = ask

    def off_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)

    @property
    def connected(self) -> bool:
        return self._wire.client.is_connected

    def reconnected(self) -> None:
        """Forget the own echoes: after a reconnect time must pass before any judgement (`liveness`)."""
        now = self._clock()
        self._echoes = OwnEchoes()
        self._here_since = self.server.now()
        self._deaf_since = now if self._me else None
        self._heard_nobody(now)

    def _heard_nobody(self, now: float) -> None:
        """Count everybody's silence from now on: what was said meanwhile did not reach this process."""
        for name, member in self._table.items():
            if name in self._offline:
                continue
            sign = replace(member.sign, absent_since=None, absent_again=None, last_heard=now, here=False)
            self._table[name] = replace(member, sign=sign)

    def take(self, followed: Followed, *, live: bool) -> None:
        """Take a heartbeat; `live`: it has just been sent, as opposed to found stored."""
        try:
            beat = Heartbeat.from_bytes(followed.data)
        except RecordRefused as error:
            warn_foreign(log, followed.subject, error)
            return
        if followed.subject != self._names.member(beat.node):
            warn_foreign(
                log, followed.subject, f"a heartbeat of {beat.node}, whose subject is not its own; ignored"
            )
            return
        if beat.run in self._earlier_runs:
            # A zombie's: a newer run bears the name, whatever this one still sends.
            return
        now = self._clock()
        if live:
            self.server.learn(followed.at)
        age = max(0.0, self.server.now() - followed.at) if self.server.known else 0.0
        known = self._table.get(beat.node)
        born = beat.born or followed.at - beat.started
        if known is not None and known.beat.run != beat.run:
            if born < known.born:
                # An earlier run that this observer had never heard: a zombie, or a late message.
                self._earlier_runs[beat.run] = now
                return
            self._earlier_runs[known.beat.run] = now
        elif known is not None:
            born = min(born, known.born)
        if known is not None and known.beat.run == beat.run and beat.beat < known.beat.beat:
            return
        sign = Sign(
            last_heard=now - age,
            interval=beat.interval_s,
            timeout=beat.timeout_s,
            slots=beat.slots,
            used=len(beat.tasks),
            draining=beat.draining,
            goodbye=beat.goodbye,
            here=followed.at >= self._here_since,
        )
        self._table[beat.node] = Member(beat, sign, followed.at, born)
        if beat.node == self._me:
            if beat.run == self._run:
                if now - self._heard_until > self._longest_gap:
                    self._heard_nobody(now)
                self._deaf_since = None
                self._echoes = echo(self._echoes, now, longest_gap=self._longest_gap)
            elif known is not None and known.beat.run == self._run:
                # After my own: what stood there before I came is my forerunner's.
                self.replaced = beat.run
        settles = self._in_doubt and beat.run == self._run
        if settles:
            self._in_doubt = False
        if known is None or known.beat.run != beat.run:
            if not beat.goodbye:
                log.info("Node joined swarm", extra={"member": beat.node, "role": beat.role})
                self._offline.discard(beat.node)
            self._tell()
        elif beat.goodbye and not known.beat.goodbye:
            self.sweep()
            self._tell()
        elif settles or _says(beat) != _says(known.beat):
            self._tell()
        else:
            self.changed.set()

    def _tell(self) -> None:
        self._slots.clear()
        self.changed.set()
        for listener in self._listeners:
            listener()

    def forget_all(self) -> None:
        """Keep the table when the stream came anew: every node announces itself again."""
        log.debug("the table of members came anew")

    def sweep(self) -> None:
        """Log and tell who has gone offline since the last sweep; drop who has been gone for long."""
        if not self._wire.client.is_connected:
            return  # who is cut off itself judges nobody
        now = self._heard_until
        gone = {name for name, member in self._table.items() if node_status(member.sign, now) == "offline"}
        for name in sorted(gone - self._offline):
            member = self._table[name]
            how = "goodbye" if member.sign.goodbye else "no heartbeat"
            level = logging.INFO if member.sign.goodbye else logging.WARNING
            log.log(level, "Node marked offline", extra={"member": name, "reason": how})
        self._settle_doubts(self._clock())
        back = self._offline - gone
        changed = bool(gone ^ self._offline)
        self._offline = gone
        for name in back & self._table.keys():
            log.info("Node joined swarm", extra={"member": name, "role": self._table[name].beat.role})
        for name in gone:
            if now - self._table[name].sign.last_heard > FORGET_AFTER:
                del self._table[name]
                self._concluded.pop(name, None)
        # In the order in which they came. The name's own record goes on telling a zombie from its successor.
        while self._earlier_runs and now - next(iter(self._earlier_runs.values())) > FORGET_RUNS_AFTER:
            del self._earlier_runs[next(iter(self._earlier_runs))]
        if changed:
            self._tell()

    def _settle_doubts(self, now: float) -> None:
        """Have an own heartbeat sent where it would prove that somebody's time is up, not these ears'."""
        heard = self._heard_until
        in_doubt = any(
            not m.sign.goodbye and now - m.sign.last_heard > m.sign.timeout >= heard - m.sign.last_heard
            for m in self._table.values()
        )
        if in_doubt and not self._in_doubt and self._echo_wanted is not None:
            self._echo_wanted()
        self._in_doubt = in_doubt

    # --- what others ask ---

    @property
    def table(self) -> dict[str, Member]:
        return dict(self._table)

    def status(self, node: str) -> NodeStatus:
        """Return a node's status; a node never heard of is offline."""
        member = self._table.get(node)
        return "offline" if member is None else node_status(member.sign, self._heard_until)

    def living(self) -> list[Member]:
        """Return the nodes that may take work or lead: neither offline nor draining."""
        now = self._heard_until
        return [m for m in self._table.values() if node_status(m.sign, now) not in ("offline", "draining")]

    def slots_for(self, demand: Demand) -> int:
        """Return the slots that living nodes advertise for a demand, as of the last change or sweep."""
        if demand not in self._slots:
            self._slots[demand] = sum(m.beat.slots for m in self.living() if serves(m.offer, demand))
        return self._slots[demand]

    def coordinators(self) -> int:
        """Return how many nodes coordinate, by role or promoted."""
        return sum(1 for m in self.living() if m.leads)

    def successors(self) -> list[str]:
        """Return the living nodes that take the coordinator's role while nobody has it."""
        return sorted(m.beat.node for m in self.living() if m.beat.promotable)

    def peers(self) -> list[Peer]:
        """Return the other nodes that coordinate, with what a decision may believe of each."""
        now = self._clock()
        return [
            Peer(
                node=m.beat.node,
                run=m.beat.run,
                by_role=m.beat.role == "coordinator",
                gone=m.sign.draining or self.run_dead(m.beat.node, m.beat.run, m.seen_at),
                well=node_status(m.sign, now) in ("online", "busy"),
            )
            for m in self._table.values()
            if m.leads and m.beat.run != self._run
        ]

    def is_gone(self, run: str) -> bool:
        """Return whether a run, whatever its node, is dead for a decision; False for one never heard of."""
        if run in self._earlier_runs:
            return True
        return any(
            m.beat.run == run and self.run_dead(m.beat.node, run, m.seen_at) for m in self._table.values()
        )

    @property
    def may_declare(self) -> bool:
        """Whether this process may declare others dead."""
        return may_declare(
            self._echoes, self._clock(), node_timeout=self._node_timeout, longest_gap=self._longest_gap
        )

    @property
    def settled(self) -> bool:
        """Whether this process may already believe that somebody is absent (`liveness`)."""
        return settled(
            self._echoes,
            self._clock(),
            node_timeout=self._node_timeout,
            longest_gap=self._longest_gap,
            after=self.settled_after,
        )

    @property
    def hears_itself(self) -> bool:
        """Whether this process's own heartbeats come back to it: it is not cut off from the swarm."""
        last = self._echoes.last
        return last is not None and self._clock() - last <= self._longest_gap

    @property
    def _heard_until(self) -> float:
        """When the last own heartbeat came back: until then nobody's heartbeat can have been missed.

        Before the first one, and for who is no node and has none, it is now.

        They all come by one stream, in order; what is silent since then may be this process's ears.
        """
        if self._echoes.last is not None:
            return self._echoes.last
        return self._clock() if self._deaf_since is None else self._deaf_since

    def proven_dead(self, node: str, run: str, since: float) -> bool:
        """Return whether anybody may know that a run has ended.

        Its own goodbye proves it, and a newer run of its name: one that joined after `since`, the
        server time at which the run last wrote to the log.
        """
        if run in self._earlier_runs:
            return True
        member = self._table.get(node)
        if member is None:
            return False
        return member.sign.goodbye if member.beat.run == run else member.born > since

    def leads_no_more(self, node: str, run: str, since: float) -> bool:
        """Return whether a living run has said that it coordinates no more.

        `since`: server time at which a request was given to it. What it said within a heartbeat after
        that may be older than its promotion.
        """
        member = self._table.get(node)
        if member is None or member.beat.run != run or member.leads:
            return False
        return member.seen_at > since + member.beat.interval_s

    def run_dead(self, node: str, run: str, since: float) -> bool:
        """Return whether a run is dead for a decision; `since`: server time of its last entry."""
        if self.proven_dead(node, run, since):
            return True
        member = self._table.get(node)
        if member is not None and member.beat.run == run:
            return is_dead(member.sign, self._heard_until, may_declare=self.may_declare, settled=self.settled)
        # Never heard of it: it is new, or it went before this observer came.
        return self.may_declare and self.server.now() - since > self._node_timeout

    def evidence(self, head: TaskHead, *, task: str, in_my_jobs: bool) -> HolderEvidence:
        """Return what this process knows of the run that holds a task."""
        if head.run == self._run and self._run:
            return HolderEvidence(mine=True, in_my_jobs=in_my_jobs, may_declare=self.may_declare)
        member = self._table.get(head.node)
        unlisted: int | None = None
        if member is not None and member.beat.run == head.run and task not in member.beat.tasks:
            unlisted = member.beat.beat
        if self.run_dead(head.node, head.run, head.at):
            # It is believed by the rules for that, which allow more than `may_declare` alone.
            return HolderEvidence(run_dead=True, may_declare=True)
        return HolderEvidence(beat_without_task=unlisted, may_declare=self.may_declare)

    # --- probes ---

    def absent_since(self, node: str) -> float | None:
        """Return when a probe first found nobody under a name, without an answer since."""
        member = self._table.get(node)
        return member.sign.absent_since if member is not None else None

    async def probe(self, node: str) -> None:
        """Ask a node whether it is there, and note what came; several probes may be under way."""
        self._probes += 1
        number = self._probes
        try:
            reply = await self._wire.request(self._names.probe(node), timeout=PROBE_TIMEOUT)
        except NobodyListens:
            if self._concludes(node, number):
                self._note_absent(node)
            return
        except PermissionDenied as error:
            log.warning("cannot probe %s: %s", node, error)
            return
        except SwarmTimeout:
            # One that was sent to a connection as it broke times out after later ones have found nobody.
            if self._wire.client.is_connected and self._concludes(node, number):
                self._note(node, silent_probe=True, absent_since=None, absent_again=None)
            return
        run = reply.data.decode(errors="replace")
        member = self._table.get(node)
        # Another run's answer proves nothing: it may be a successor, whose first heartbeat tells, or a
        # zombie that has just thawed beside its successor.
        if member is not None and member.beat.run == run and self._concludes(node, number):
            self._note(node, silent_probe=False, absent_since=None, absent_again=None)

    def _concludes(self, node: str, number: int) -> bool:
        """Return whether the node is known, and no later probe of it has come to something already."""
        if node not in self._table or number < self._concluded.get(node, 0):
            return False
        self._concluded[node] = number
        return True

    def _note_absent(self, node: str) -> None:
        member = self._table.get(node)
        if member is None:
            return
        now = self._clock()
        if member.sign.absent_since is None:
            self._note(node, absent_since=now)
        else:
            self._note(node, absent_again=now)
        self.sweep()

    def _note(self, node: str, **changes: object) -> None:
        member = self._table.get(node)
        if member is not None:
            sign = replace(member.sign, **changes)  # type: ignore[arg-type]  # names are Sign's own
            self._table[node] = replace(member, sign=sign)

    async def probe_all(self, nodes: Iterable[str]) -> None:
        """Probe several nodes at once, at most 100 in a second."""
        wanted = sorted(set(nodes))
        for start in range(0, len(wanted), PROBES_PER_SECOND):
            if start:
                await asyncio.sleep(1.0)
            async with asyncio.TaskGroup() as group:
                for node in wanted[start : start + PROBES_PER_SECOND]:
                    group.create_task(self.probe(node))
