"""Releasing: puts the tasks of a coordinator's requests on their lanes, as fast as those drain.

How many of whose go is decided in `swarm.release`; here it is carried out, within the quotas.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from ..errors import PicoclawError
from ..swarm.demand import parse_demand
from ..swarm.fold import RequestHead
from ..swarm.release import OTHERS_FIRST_EVERY, Share, release
from ..swarm.swarm import Swarm
from .owner import Owner
from .quotas import Quotas

log = logging.getLogger(__name__)

AGAIN = timedelta(seconds=1)
"""After which tasks are released again whose release did not come about."""


class Releaser:
    """Releases for one coordinator; `run` beside its other work."""

    def __init__(
        self,
        swarm: Swarm,
        owners: Mapping[str, Owner],
        heads: Mapping[str, RequestHead],
        start: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:
        """`owners`: of the own requests; `heads`: everybody's open ones; `start` begins a task."""
        self._swarm = swarm
        self._owners = owners
        self._heads = heads
        self._start = start
        self._changed = asyncio.Event()
        self._turn = 0
        self.quotas = Quotas(swarm, self.wake)

    def wake(self) -> None:
        """Look again: there may be more to release, or more room."""
        self._changed.set()

    async def run(self) -> None:
        """Release until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._look()
            # Let what has just happened gather: one look serves many events.
            await asyncio.sleep(0)

    def _look(self) -> None:
        """Put what may go now on its lanes."""
        wanted: dict[str, list[Owner]] = defaultdict(list)
        for owner in self._owners.values():
            if owner.releasing:
                for demand in owner.ledger.schedule.demands:
                    wanted[demand].append(owner)
        coordinators = self._swarm.members.coordinators()
        out = {owner.request_id: owner.out for owner in self._owners.values()}
        most = self.quotas.tenant_room(out, self._heads)
        for demand, owners in wanted.items() if most is None else in_turn(wanted, self._turn):
            slots = self._swarm.members.slots_for(parse_demand(demand))
            shares = [
                Share(
                    owner.request_id,
                    owner.ledger.request.priority,
                    owner.policies.may_release(demand, slots),
                    owner.ledger.schedule.waiting(demand),
                    self.quotas.request_room(owner.out),
                )
                for owner in owners
            ]
            granted = release(shares, slots=slots, coordinators=coordinators, turn=self._turn, most=most)
            if most is not None:
                most -= sum(granted.values())
            # By a quota a place comes free now and then: each goes to the next in turn.
            self._turn += bool(granted) if most is not None else 1
            for owner in owners:
                number = granted.get(owner.request_id, 0)
                if not number and most is not None and handed_on_and_idle(owner):
                    # Who waits for it counts in the quota: with none left, both would wait for ever.
                    number = min(1, owner.policies.may_release(demand, slots))
                if number:
                    steps = owner.policies.take_ready(demand, number, slots)
                    self._start(self._release(owner, steps))

    async def _release(self, owner: Owner, steps: list[str]) -> None:
        try:
            await owner.release(steps)
        except (PicoclawError, ExceptionGroup) as error:
            log.warning("tasks of %s not released: %s", owner.request_id, error)
            await asyncio.sleep(AGAIN.total_seconds())
            for step in steps:
                owner.ledger.schedule.give_back(step)
            self.wake()


def handed_on_and_idle(owner: Owner) -> bool:
    """Return whether a task waits for a request that has nothing at work."""
    return owner.ledger.request.parent is not None and owner.out == 0


def in_turn(wanted: Mapping[str, list[Owner]], turn: int) -> list[tuple[str, list[Owner]]]:
    """Return demands in the order in which they are served by a quota.

    By the highest priority in each, equals by turns; every eighth turn by turns alone.
    """
    lanes = sorted(wanted.items())
    rounds, place = divmod(turn, OTHERS_FIRST_EVERY)
    if place == OTHERS_FIRST_EVERY - 1:
        start = rounds % max(1, len(lanes))
        return lanes[start:] + lanes[:start]
    start = turn % max(1, len(lanes))

    def highest(lane: tuple[str, list[Owner]]) -> int:
        return max(owner.ledger.request.priority for owner in lane[1])

    return sorted(lanes[start:] + lanes[:start], key=highest, reverse=True)
