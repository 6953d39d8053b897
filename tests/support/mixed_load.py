"""Mixed load on a fleet: small and large requests, of all priorities, that work, fail, or are cancelled."""

import asyncio
import random
from collections import Counter
from typing import Any

from picoclaw.errors import PicoclawError
from picoclaw.swarm.cancel import cancel_request
from picoclaw.tests.support.fleet import Fleet
from picoclaw.tests.support.hands import Hands

KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "small": (60, {}),
    "low": (8, {"priority": 0}),
    "urgent": (8, {"priority": 3}),
    "large": (10, {"tasks": 8}),
    "mended": (6, {"fail": 1}),
    "refused": (4, {"refuse": 1}),
    "cancelled": (4, {"seconds": 5}),
}
"""How often each comes, in hundredths, and what is asked."""
ENDS = 120.0
"""Seconds in which each request must have ended, whatever is killed meanwhile."""


class MixedLoad(Hands):
    """Hands in requests until its block ends, and then waits for the last ones."""

    def __init__(self, fleet: Fleet, chance: random.Random, *, hands: int = 4) -> None:
        self._fleet, self._chance, self.hands = fleet, chance, hands
        self.ends: Counter[str] = Counter()

    async def hand(self) -> None:
        weights = [often for often, _ in KINDS.values()]
        while not self.stopping:
            kind = self._chance.choices(list(KINDS), weights)[0]
            options = dict(KINDS[kind][1])
            request = await self._fleet.ask(options.pop("tasks", 1), name=kind, **options)
            if kind == "cancelled":
                await self._cancel(request)
            ended = await self._fleet.end(request, ENDS)
            self.ends[f"{kind} {ended.head.state}"] += 1

    async def _cancel(self, request: str) -> None:
        while True:
            try:
                await cancel_request(self._fleet.swarm, request, why="the test changed its mind")
                return
            except PicoclawError:
                await asyncio.sleep(0.2)
