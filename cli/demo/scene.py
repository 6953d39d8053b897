"""Scene: what the log of a show's swarm says so far, and waiting for it to say more."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from ...errors import SwarmError
from ...swarm.entries import Entry, Owner, Planned, Started
from ...swarm.fold import RequestHead, TaskHead, fold_request, fold_task
from ...swarm.follow import Followed
from ...swarm.log import decode
from ...swarm.subjects import REQUEST_STEP, split_log_subject

T = TypeVar("T")
Key = tuple[str, str]
"""Request and step."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry."""

    key: Key
    entry: Entry
    at: float
    """When the server stored it, in seconds since the epoch; its clock is this machine's."""


@dataclass(slots=True)
class Scene:
    """The fold of everything that was seen."""

    heads: dict[Key, TaskHead] = field(default_factory=dict)
    requests: dict[str, RequestHead] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    """How many tasks each planned request has."""
    entries: list[Seen] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, followed: Followed) -> None:
        """Take a message of the log, in order."""
        entry = decode(followed)
        if entry is None:
            return
        request, step = split_log_subject(followed.subject)
        if step == REQUEST_STEP:
            head = self.requests.get(request, RequestHead())
            self.requests[request] = fold_request(head, entry, followed.seq, followed.at)
            if isinstance(entry, Planned) and entry.plan is not None:
                self.planned[request] = len(entry.plan.tasks)
        else:
            task = self.heads.get((request, step), TaskHead())
            self.heads[request, step] = fold_task(task, entry, followed.seq, followed.at)
        self.entries.append(Seen((request, step), entry, followed.at))
        self._changed.set()

    # --- what is so now ---

    @property
    def total(self) -> int:
        """Tasks of all planned requests."""
        return sum(self.planned.values())

    @property
    def done(self) -> int:
        return sum(1 for head in self.heads.values() if head.terminal)

    @property
    def left(self) -> int:
        return self.total - self.done

    def held_by(self, node: str) -> list[Key]:
        """Return the tasks that a node holds."""
        return [key for key, head in self.heads.items() if head.state == "running" and head.node == node]

    def running(self) -> int:
        return sum(1 for head in self.heads.values() if head.state == "running")

    def owners(self) -> dict[str, list[str]]:
        """Return the open requests by their owner."""
        found: dict[str, list[str]] = defaultdict(list)
        for request, head in self.requests.items():
            if head.owner and not head.terminal:
                found[head.owner].append(request)
        return found

    def more_than(self, number: int) -> bool:
        """Return whether more entries than so many have been seen."""
        return len(self.entries) > number

    # --- waiting ---

    async def until(self, what: str, predicate: Callable[[], T | None], limit: timedelta) -> T:
        """Return the first true value of `predicate`, asked whenever something is seen.

        Raises SwarmError, which says `what` did not come, past the limit.
        """
        try:
            async with asyncio.timeout(limit.total_seconds()):
                while not (value := predicate()):
                    self._changed.clear()
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise SwarmError(f"{what}: this did not happen within {limit.total_seconds():g} s") from None

    def started_since(self, since: float, keys: Iterable[Key]) -> float | None:
        """Return when the last of the tasks began again; None: one of them has not."""
        return self._last_of(keys, since, Started)

    def taken_over_since(self, since: float, requests: Iterable[str]) -> float | None:
        """Return when the last of the requests had a new owner; None: one of them has none."""
        return self._last_of([(request, REQUEST_STEP) for request in requests], since, Owner)

    def next_start(self, since: float) -> float | None:
        """Return when the next task began."""
        return next((s.at for s in self.entries if s.at > since and isinstance(s.entry, Started)), None)

    def _last_of(self, keys: Iterable[Key], since: float, kind: type[Started] | type[Owner]) -> float | None:
        first: dict[Key, float] = {}
        for seen in self.entries:
            if seen.at > since and isinstance(seen.entry, kind):
                first.setdefault(seen.key, seen.at)
        # What had its end on the way when its holder died needs nobody any more.
        open_keys = [key for key in keys if key in first or not self._ended(key)]
        if any(key not in first for key in open_keys):
            return None
        return max((first[key] for key in open_keys), default=since)

    def _ended(self, key: Key) -> bool:
        request, step = key
        return (self.requests[request] if step == REQUEST_STEP else self.heads[key]).terminal
