"""Faults: what goes wrong in one seed, and how the network behaves meanwhile."""

from typing import TYPE_CHECKING

from .server import Ack

if TYPE_CHECKING:
    from .run import Run
    from .world import World

END = 15.0
"""Seconds after which nothing new goes wrong."""
RECONNECT = 2.8
"""Longest time that a node takes to find a server that is back, in seconds; less than a node timeout."""


class Faults:
    """Draws faults from the seed's generator."""

    def __init__(self, world: "World") -> None:
        self.world, self.kernel = world, world.kernel
        rng = self.kernel.rng
        self._loss = rng.choice((0.0, 0.0, 0.02, 0.08))
        self._spikes = rng.choice((0.0, 0.0, 0.03))
        lags = ((0.0, 0.0), (0.0, 0.0), (0.1, 1.4), (0.5, 2.2))
        self._lags = {"members": rng.choice(lags), "log": rng.choice(lags)}
        self._twice = rng.choice((0.0, 0.05))
        self._crashes = rng.choice((0.0, 0.005, 0.02))
        self._crashes_left = rng.randint(1, 6)
        self.last = END
        """When the last fault will be over."""

    @property
    def on(self) -> bool:
        return self.kernel.now < END

    # --- the network ---

    def latency(self) -> float:
        rng = self.kernel.rng
        if self.on and rng.random() < self._spikes:
            return rng.uniform(0.3, 3.0)
        return rng.uniform(0.001, 0.02)

    def feed_delay(self, stream: str) -> float:
        """How far a follower is behind; the streams do not wait for each other."""
        rng = self.kernel.rng
        share, lag = self._lags[stream]
        if self.on and rng.random() < share:
            return rng.uniform(0.2, lag)
        return rng.uniform(0.001, 0.02)

    def loses(self) -> bool:
        return self.on and self.kernel.rng.random() < self._loss

    def duplicates(self) -> bool:
        return self.on and self.kernel.rng.random() < self._twice

    def crash_now(self, run: "Run") -> bool:
        """Whether the run dies at this very step, between two writes."""
        if not run.alive:
            return True
        if self.on and self._crashes_left and self.kernel.rng.random() < self._crashes:
            self._crashes_left -= 1
            run.kill()
            return True
        return False

    # --- what befalls the nodes ---

    def plan(self) -> None:
        rng = self.kernel.rng
        kinds = (self._kill, self._freeze, self._cut, self._restart_server, self._drain, self._twin)
        for _ in range(rng.randint(0, 5)):
            happen = rng.choices(kinds, (4, 4, 3, 2, 2, 1))[0]
            self.kernel.at(rng.uniform(0.3, END), happen)
        for _ in range(rng.choice((0, 0, 4, 12))):
            self.kernel.at(rng.uniform(0.3, END), self._hand_back)

    def _somebody(self) -> "Run | None":
        living = [run for run in self.world.runs if run.alive]
        return self.kernel.rng.choice(living) if living else None

    def _until(self, when: float) -> None:
        self.last = max(self.last, when)

    def _kill(self) -> None:
        run = self._somebody()
        if run is not None:
            run.kill()

    def died(self, run: "Run") -> None:
        pause = self.kernel.rng.choice((0.05, 0.3, self.kernel.rng.uniform(0.3, 4.0)))
        self._until(self.kernel.now + pause)
        self.kernel.after(pause, self._boot, run.node)

    def _boot(self, node: str) -> None:
        if not self.world.living(node):
            self.world.boot(node)

    def _freeze(self) -> None:
        run, seconds = self._somebody(), self.kernel.rng.uniform(0.5, 12.0)
        if run is not None:
            self._until(self.kernel.now + seconds)
            run.freeze(seconds)

    def _cut(self) -> None:
        run, seconds = self._somebody(), self.kernel.rng.uniform(0.3, 9.0)
        if run is not None:
            self._until(self.kernel.now + seconds)
            run.cut_off(seconds, alone=True)

    def _restart_server(self) -> None:
        """The server is away for a while; its memory stream dies, everybody must connect again."""
        rng, world = self.kernel.rng, self.world
        away = rng.choice((0.2, 1.0, 8.0))
        world.note(f"the server is away for {away} s")
        world.down_until = self.kernel.now + away
        world.members.stored.clear()
        world.tasks.parked.clear()
        world.inbox.parked.clear()
        self._until(world.down_until + RECONNECT)
        for run in world.runs:
            run.forget_held()
            run.cut_off(away + rng.uniform(0.01, RECONNECT), alone=False)

    def _hand_back(self) -> None:
        """Somebody's stale -NAK: a message is delivered again although its holder is well."""
        pending = [message for message in self.world.tasks.messages.values() if message.pending]
        if pending and self.world.down_until <= self.kernel.now:
            message = self.kernel.rng.choice(pending)
            self.world.note(f"a stale -NAK of {message.subject}")
            self.world.tasks.nak(Ack(message.subject, message.seq))

    def _drain(self) -> None:
        run = self._somebody()
        if run is not None and not run.draining:
            role = self.world.roles[run]
            run.reach(role.drain)

    def _twin(self) -> None:
        """A run hangs, and its node is started again under the same name."""
        run = self._somebody()
        if run is not None and not run.frozen:
            seconds = self.kernel.rng.uniform(2.0, 12.0)
            self._until(self.kernel.now + seconds)
            run.freeze(seconds)
            self.kernel.after(self.kernel.rng.uniform(0.5, 1.5), self._boot_beside, run.node)

    def _boot_beside(self, node: str) -> None:
        """Start a node whose name nobody answers for; a live holder of it would be found by a probe."""
        if all(run.frozen or run.cut for run in self.world.living(node)):
            self.world.boot(node)
