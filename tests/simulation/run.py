"""Run: one process of a node; it can be killed, frozen, cut off, and stopped in between any two steps."""

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from picoclaw.errors import SwarmTimeout
from picoclaw.swarm.entries import Entry
from picoclaw.swarm.fold import TaskHead, fold_task
from picoclaw.swarm.follow import Followed
from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.membership.members import Members
from picoclaw.swarm.records import Delivery
from picoclaw.swarm.rules import HolderEvidence
from picoclaw.swarm.wire import NobodyListens, Reply

from .kernel import Call, Lost, Process, Signal, Sleep, Steps, Wait
from .server import Ack, Stored

if TYPE_CHECKING:
    from .world import World

INTERVAL = 1.0
NODE_TIMEOUT = 5.0
SETTLED_AFTER = 3.0
"""A little longer than a node takes to find a server that is back (`faults.RECONNECT`)."""


class Refused(Exception):
    """Raised when somebody else appended first, or, with `written`, over what was in doubt."""

    def __init__(self, *, written: bool = False) -> None:
        self.written = written


class Spellings:
    """Subjects, as far as the members table asks for them."""

    def member(self, node: str) -> str:
        return node

    def probe(self, node: str) -> str:
        return node


class ProbeWire:
    """Gives a probe the answer that the simulated network had."""

    def __init__(self) -> None:
        self.client = self
        self.is_connected = True
        self.answer = ""

    async def request(self, subject: str, *, timeout: timedelta) -> Reply:
        if self.answer == "absent":
            raise NobodyListens(subject)
        if self.answer == "silent":
            raise SwarmTimeout(subject)
        return Reply(self.answer.encode(), {})


@dataclass(eq=False, slots=True)
class Job:
    """As `roles.jobs.Job`."""

    id: str
    delivery: Delivery
    ack: Ack
    body: Any
    seq: int = 0
    attempt: int = 0
    excused: int = 0
    entry: str = ""
    """Id of its `started`, from before that is sent: the simulation's own knowledge."""
    executing: bool = False
    fenced: bool = False
    draining: bool = False
    stopping: Signal = field(default_factory=Signal)
    ended: Signal = field(default_factory=Signal)


class Run:
    """A process with a name, a random id, a members table, and a connection."""

    def __init__(self, world: "World", node: str, role: str, slots: int) -> None:
        self.world, self.node, self.role, self.slots = world, node, role, slots
        self.kernel = world.kernel
        world.runs_so_far += 1
        self.id = f"{node}#{world.runs_so_far}"
        self.alive, self.frozen, self.cut, self.draining = True, False, False, False
        self.born = self.kernel.now
        self.decided: dict[str, float] = {}
        """When it last decided on somebody else's task."""
        self.unwell_until = 0.0
        """Until then the others may be right to take it for dead."""
        self.outage_until = 0.0
        """Until then nobody is to be blamed for silence: the server was away."""
        self.gone_at = 0.0
        """When the broker noticed that its connection was gone."""
        self.beat = 0
        self.jobs: list[Job] = []
        self.reconnected: list[Callable[[], None]] = []
        self._backlog: list[Callable[[], None]] = []
        self._again = Signal()
        self._leaving = False
        self._heard: deque[tuple[float, Followed, bool]] = deque()
        self._held: dict[str, Followed] = {}
        self._clock_offset = self.kernel.rng.uniform(0, 100)
        self._clock = self.kernel.now + self._clock_offset
        self._wire = ProbeWire()
        self.members = world.decisions.members(
            cast(Any, self._wire),
            cast(Any, Spellings()),
            me=node,
            run=self.id,
            interval=timedelta(seconds=INTERVAL),
            node_timeout=timedelta(seconds=NODE_TIMEOUT),
            clock=lambda: self._clock,
        )
        self.members.settled_after = SETTLED_AFTER
        self.members.server.learn(self.kernel.now)
        for followed in world.members.stored.values():
            self.members.take(followed, live=False)
        world.runs.append(self)
        self.start(self._announce())

    def __repr__(self) -> str:
        return self.id

    def note(self, what: str) -> None:
        if self.world.trace is not None:
            self.world.trace.append(f"{self.kernel.now:8.3f} {self.id:6} {what}")

    # --- life and death ---

    def start(self, steps: Steps) -> None:
        Process(self.kernel, self, steps)

    def reach(self, event: Callable[[], None]) -> None:
        if not self.alive:
            return
        if self.frozen:
            self._backlog.append(event)
        else:
            event()

    def kill(self) -> None:
        if self.alive:
            self.note("killed")
            self.alive = False
            self.gone_at = self.kernel.now + self.kernel.rng.uniform(0, 0.5)
            self.world.died(self)

    def freeze(self, seconds: float) -> None:
        if self.alive and not self.frozen:
            self.note(f"freezes for {seconds:.1f} s")
            self.frozen = True
            self.unwell_until = self.kernel.now + seconds + 2 * NODE_TIMEOUT
            self.kernel.after(seconds, self._thaw)

    def _thaw(self) -> None:
        if not self.alive:
            return
        self.note("thaws")
        self.frozen = False
        now = self.kernel.now
        self._heard = deque((max(now, at), followed, live) for at, followed, live in self._heard)
        backlog, self._backlog = self._backlog, []
        for event in backlog:
            if self.alive:
                event()

    def cut_off(self, seconds: float, *, alone: bool) -> None:
        """Lose the connection; `alone`: the others keep theirs and are right to find nobody here."""
        if self.alive and not self.cut:
            self.note(f"loses its connection for {seconds:.1f} s")
            self.cut = True
            if not alone:
                self.outage_until = self.kernel.now + seconds + 1.5
            else:
                self.unwell_until = max(self.unwell_until, self.kernel.now + seconds + 2 * NODE_TIMEOUT)
            self.kernel.after(seconds, self._connect)

    def _connect(self) -> None:
        if not self.alive:
            return
        if self.frozen:
            self._backlog.append(self._connect)
            return
        if self.world.down_until > self.kernel.now:
            self.kernel.at(self.world.down_until + 0.01, self._connect)
            return
        self.note("is connected again")
        self.cut = False
        self.look()
        self.members.reconnected()
        for followed in self._held.values():
            self._hear(followed)
        self._held.clear()
        self._again.set()
        for listener in self.reconnected:
            listener()

    def well(self, at: float) -> bool:
        """Whether nobody had a reason to take this run for dead then, or has one since."""
        return self.alive and not self.frozen and at > self.unwell_until

    # --- the network ---

    def ask(self, call: Callable[[], Any], answer: Callable[[Any], None], lost: Callable[[], None]) -> None:
        """Send a request; it and its answer may each be late or lost."""
        world, kernel = self.world, self.kernel
        if world.faults.crash_now(self):
            return
        patience = 1.0
        kernel.after(patience, lost)
        if self.cut or world.faults.loses():
            return

        def arrive() -> None:
            if world.down_until > kernel.now:
                return
            value = call()
            if not self.cut and not world.faults.loses():
                kernel.after(world.faults.latency(), answer, value)

        kernel.after(world.faults.latency(), arrive)
        world.faults.crash_now(self)

    def post(self, effect: Callable[[], None]) -> None:
        """Send a message that nobody answers."""
        world, kernel = self.world, self.kernel
        if world.faults.crash_now(self) or self.cut or world.faults.loses():
            return
        kernel.after(world.faults.latency(), lambda: None if world.down_until > kernel.now else effect())
        world.faults.crash_now(self)

    # --- heartbeats, sent and heard ---

    def listed(self) -> tuple[str, ...]:
        lists = self.world.decisions.lists
        return tuple(sorted({job.id for job in self.jobs if lists(job.seq > 0)}))

    def _announce(self) -> Steps:
        while True:
            yield from self.send_beat()
            self._again.clear()
            yield Wait(self._again, INTERVAL)
            self.look()

    def send_beat(self, *, goodbye: bool = False) -> Steps:
        self.beat += 1
        made = Heartbeat(
            node=self.node, run=self.id, role=self.role, beat=self.beat, interval_s=INTERVAL,
            timeout_s=NODE_TIMEOUT, slots=self.slots, tasks=self.listed(), draining=self.draining,
            goodbye=goodbye, capabilities=("code",) if self.slots else (),
            started=self.kernel.now - self.born, born=max(self.born, 0.001),
        )  # fmt: skip
        data, sent = made.to_bytes(), self.kernel.now

        def arrive() -> bool:
            if self.kernel.now - sent > 0.5:
                self.unwell_until = max(self.unwell_until, self.kernel.now + NODE_TIMEOUT)
            self.world.broadcast(self.node, data)
            return True

        try:
            yield Call(arrive)
        except Lost:
            if self.kernel.now > self.outage_until:
                self.unwell_until = max(self.unwell_until, self.kernel.now + NODE_TIMEOUT)

    def forget_held(self) -> None:
        """What was sent while it was cut off went with the server."""
        self._held.clear()

    def hear(self, followed: Followed) -> None:
        """Have a heartbeat on its way to this observer; they come in order."""
        if self.cut:
            self._held[followed.subject] = followed
        else:
            self._hear(followed)

    def _hear(self, followed: Followed) -> None:
        soonest = self._heard[-1][0] if self._heard else 0.0
        arrival = max(soonest, self.kernel.now + self.world.faults.feed_delay("members"))
        self._heard.append((arrival, followed, True))

    def look(self) -> None:
        """Take the heartbeats that have come by now."""
        heard, now = self._heard, self.kernel.now
        while heard and heard[0][0] <= now:
            arrival, followed, live = heard.popleft()
            self._clock = arrival + self._clock_offset
            self.members.take(followed, live=live)
        self._clock = now + self._clock_offset
        if self.members.replaced is not None and not self._leaving:
            # As the production node: it ends when it finds that another run bears its name.
            self._leaving = True
            self.kernel.after(0.5, self.reach, self.kill)

    @property
    def members_clock(self) -> float:
        """Now, on the clock of the members table."""
        self.look()
        return self._clock

    def server_now(self) -> float:
        self.look()
        return self.members.server.now()

    def evidence(self, head: TaskHead, task: str, *, in_my_jobs: bool) -> HolderEvidence:
        self.look()
        return self.world.decisions.evidence(self.members, head, task, in_my_jobs)

    def probe(self, node: str) -> Steps:
        try:
            self._wire.answer = yield Call(lambda: self.world.answer_probe(node))
        except Lost:
            self._wire.answer = "silent"
        self._wire.is_connected = not self.cut
        self.look()
        _drive(self.members.probe(node))

    # --- the log ---

    def append(self, subject: str, entry: Entry, expected: int | None, act: str) -> Generator[Any, Any, int]:
        """As `Log.append`: in doubt, the subject's last entry decides."""
        log, doubtful = self.world.log, False
        while True:
            try:
                seq: int = yield Call(lambda: log.store(subject, entry, expected, self.id, act))
                if seq:
                    return seq
            except Lost:
                doubtful = True
            try:
                last: Stored | None = yield Call(lambda: log.last(subject))
            except Lost:
                yield Sleep(0.2)
                continue
            if last is not None and last.entry.id == entry.id:
                return last.seq
            if (last.seq if last else 0) != expected:
                self.note(f"is refused on {subject}: {entry.kind}")
                raise Refused(written=doubtful and any(s.entry.id == entry.id for s in log.history(subject)))

    def head(self, subject: str) -> Generator[Any, Any, TaskHead]:
        """As `Log.head`; raises Lost."""
        last: Stored | None = yield Call(lambda: self.world.log.last(subject))
        if last is None:
            return TaskHead()
        return fold_task(TaskHead(), last.entry, last.seq, last.at)


def _drive(coroutine: Any) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


__all__ = ["INTERVAL", "NODE_TIMEOUT", "Ack", "Job", "Members", "Refused", "Run"]
