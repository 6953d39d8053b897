"""A steady load of small requests, each handed in until it is taken and counted until it ends."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from picoclaw.errors import PicoclawError
from picoclaw.swarm.entries import Started
from picoclaw.swarm.follow import Followed
from picoclaw.swarm.log import decode
from picoclaw.swarm.records import Request
from picoclaw.swarm.subjects import REQUEST_STEP, split_log_subject
from picoclaw.swarm.submission import new_request, submit
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.checker import Violation, check, told
from picoclaw.tests.checker.collect import collect
from picoclaw.tests.checker.history import TERMINAL
from picoclaw.tests.support.hands import Hands
from picoclaw.tests.support.waiting import wait_for_async

DEFINITIONS = """capabilities:
  noop: {description: Ends at once., command: ['true']}
  slow: {description: 'Takes as many seconds as the text says.', command: [sleep, '${text}']}
"""


def define(home: Path) -> None:
    """Give nodes of this home the capabilities `noop` and `slow`."""
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir(parents=True)
    (folder / "load.yaml").write_text(DEFINITIONS, encoding="utf-8")


@dataclass
class SteadyLoad(Hands):
    """Hands in requests through a door until its block ends. Times are monotonic seconds.

    `ahead`: requests that may be under way at once. A request that is refused, or whose hand-in is in
    doubt, is handed in again as the same request, as a careful client does.
    """

    swarm: Swarm
    demand: str = "noop"
    hands: int = 4
    ahead: int = 12
    handed_in: dict[str, float] = field(default_factory=dict)
    """When a request was surely taken."""
    began: dict[str, float] = field(default_factory=dict)
    """When it was first tried to hand it in."""
    ended: dict[str, float] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    """What the door said whenever it did not take a request."""
    _free: asyncio.Semaphore = field(init=False)

    async def __aenter__(self) -> Self:
        self._free = asyncio.Semaphore(self.ahead)
        log = self.swarm.names.log
        self.swarm.follow(log, self.swarm.names.log_of("*", REQUEST_STEP), self._note, deliver="all")
        return await super().__aenter__()

    async def hand(self) -> None:
        while not self.stopping:
            await self._free.acquire()
            request = new_request("load", demand=self.demand)
            self.began[request.id] = time.monotonic()
            await self._hand_in(request)

    async def _hand_in(self, request: Request) -> None:
        while True:
            try:
                await submit(self.swarm, request)
            except PicoclawError as error:
                self.refusals.append(str(error))
                await asyncio.sleep(0.1)
                continue
            self.handed_in[request.id] = time.monotonic()
            return

    def _note(self, followed: Followed) -> None:
        request, step = split_log_subject(followed.subject)
        entry = decode(followed)
        if step == REQUEST_STEP and isinstance(entry, TERMINAL) and request not in self.ended:
            self.ended[request] = time.monotonic()
            if request in self.began:
                self._free.release()

    # --- what came of it ---

    async def flowing(self, number: int, timeout: float = 60.0) -> None:
        """Wait until so many more requests have been handed in and have ended from now on."""
        now, enough = time.monotonic(), number

        def fresh() -> bool:
            return sum(1 for id, at in self.began.items() if at >= now and id in self.ended) >= enough

        await wait_for_async(fresh, timeout, f"{number} requests through")

    async def all_ended(self, timeout: float = 60.0) -> None:
        """Wait until each request that was taken has ended."""
        await wait_for_async(
            lambda: self.handed_in.keys() <= self.ended.keys(),
            timeout,
            "every request that was taken has ended",
        )

    def gap(self, since: float) -> float:
        """Seconds from `since` until a request that was handed in after it had been taken."""
        return min(at for id, at in self.handed_in.items() if self.began[id] >= since) - since

    def spans(self) -> list[float]:
        """Seconds from the hand-in of each request that has ended to its end."""
        return [at - self.began[id] for id, at in self.ended.items() if id in self.began]

    def first_end(self, since: float) -> float:
        """Seconds from `since` until a request that was handed in after it had ended."""
        return min(at for id, at in self.ended.items() if self.began.get(id, 0.0) >= since) - since

    async def nothing_lost(self, timeout: float = 60.0) -> "Outcome":
        """Wait for the end of each request, then have the checker judge the whole swarm."""
        await self.all_ended(timeout)
        found = await outcome(self.swarm, handed_in=tuple(self.handed_in))

        async def right() -> bool:
            # The queue is empty a moment later: an acknowledgement has no answer.
            nonlocal found
            found = await outcome(self.swarm, handed_in=tuple(self.handed_in))
            return not found.violations

        try:
            await wait_for_async(right, timeout)
        except AssertionError:
            raise AssertionError(told(found.violations)) from None
        return found


@dataclass(frozen=True)
class Outcome:
    """What the log says of every request and task that ever was in it."""

    requests: int
    lost: tuple[str, ...]
    """Requests and tasks without a terminal entry."""
    doubled: tuple[str, ...]
    """Those with more than one."""
    second_runs: int
    """Starts beyond the first of a task."""
    ends: Mapping[str, int]
    """Requests and tasks, by the kind of their last entry."""
    violations: tuple[Violation, ...]
    """What the checker says of the whole."""


async def outcome(swarm: Swarm, *, handed_in: Sequence[str] = ()) -> Outcome:
    """Read the whole log, count, and have the checker judge it."""
    history = await collect(swarm, handed_in=handed_in)
    names = {written.name for written in history.log}
    starts = Counter(written.name for written in history.log if isinstance(written.entry, Started))
    terminal = Counter(written.name for written in history.log if written.ends)
    return Outcome(
        requests=sum(1 for name in names if "." not in name),
        lost=tuple(sorted(names - terminal.keys())),
        doubled=tuple(sorted(name for name, number in terminal.items() if number > 1)),
        second_runs=sum(starts.values()) - len(starts),
        ends=Counter(str(written.entry.kind) for written in history.log if written.ends),
        violations=tuple(check(history)),
    )
