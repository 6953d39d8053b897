"""Kernel: simulated time and processes, each a generator that yields what it waits for."""

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol


class Lost(Exception):
    """Raised in a process whose call got no answer in time; it may have been carried out or not."""


@dataclass(slots=True)
class Sleep:
    """Wait for some seconds."""

    seconds: float


@dataclass(slots=True)
class Call:
    """Ask the server; the answer is what `ask` returns there."""

    ask: Callable[[], Any]


class Signal:
    """Something that happens once or again; whoever waits goes on."""

    __slots__ = ("_waiting", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._waiting: list[Callable[[], None]] = []

    def set(self) -> None:
        self.is_set = True
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            resume()

    def clear(self) -> None:
        self.is_set = False

    def then(self, resume: Callable[[], None]) -> None:
        self._waiting.append(resume)


@dataclass(slots=True)
class Wait:
    """Wait for a signal, at most some seconds; the answer is whether it came."""

    signal: Signal
    seconds: float | None = None


Steps = Generator[Sleep | Call | Wait, Any, Any]


class Host(Protocol):
    """Where a process runs: it may be frozen, then what reaches it waits; or dead, then it is gone."""

    def reach(self, event: Callable[[], None]) -> None: ...

    def ask(
        self, call: Callable[[], Any], answer: Callable[[Any], None], lost: Callable[[], None]
    ) -> None: ...


class Kernel:
    """The clock and what is to happen."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.rng = Random(seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, when: float, event: Callable[..., None], *args: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(when, self.now), self._count, event, args))

    def after(self, seconds: float, event: Callable[..., None], *args: Any) -> None:
        self.at(self.now + seconds, event, *args)

    def run(self, until: float, over: Callable[[], bool]) -> None:
        """Let things happen until all is over, or the time is."""
        while self._events and not over():
            when, _, event, args = heapq.heappop(self._events)
            if when > until:
                self.now = until
                return
            self.now = when
            event(*args)


class Process:
    """A generator under way on a host."""

    __slots__ = ("_turn", "host", "kernel", "steps")

    def __init__(self, kernel: Kernel, host: Host, steps: Steps) -> None:
        self.kernel, self.host, self.steps = kernel, host, steps
        self._turn = 0
        self._resume(0, None, lost=False)

    def _resume(self, turn: int, value: Any, *, lost: bool) -> None:
        """Go on, unless the process has gone on already (a time-out and an answer may both come)."""
        if turn != self._turn:
            return
        self._turn += 1
        try:
            wanted = self.steps.throw(Lost()) if lost else self.steps.send(value)
        except StopIteration:
            self._turn = -1
            return
        mine, reach, kernel = self._turn, self.host.reach, self.kernel
        if type(wanted) is Sleep:
            kernel.after(wanted.seconds, reach, lambda: self._resume(mine, None, lost=False))
        elif type(wanted) is Call:
            self.host.ask(
                wanted.ask,
                lambda answer: reach(lambda: self._resume(mine, answer, lost=False)),
                lambda: reach(lambda: self._resume(mine, None, lost=True)),
            )
        else:
            assert isinstance(wanted, Wait)
            if wanted.signal.is_set:
                kernel.after(0.0, reach, lambda: self._resume(mine, True, lost=False))
                return
            wanted.signal.then(lambda: kernel.after(0.0, reach, lambda: self._resume(mine, True, lost=False)))
            if wanted.seconds is not None:
                kernel.after(wanted.seconds, reach, lambda: self._resume(mine, False, lost=False))
