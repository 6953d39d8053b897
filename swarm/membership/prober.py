"""Prober: asks the nodes that matter to this process whether they are there, within its budget."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from .members import Members
from .probing import PROBES_PER_SECOND, Asked, next_round

WINDOW = 1.0
"""Seconds over which the budget is counted."""
LOOK = 0.25
"""Longest pause between two looks at who is watched, in seconds."""

Watched = Callable[[], Mapping[str, float]]
"""Returns nodes, each with the pause between two probes that is wanted, in seconds."""


class Prober:
    """Probes whoever is watched; `run` beside the work."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._watchers: list[Watched] = []
        self._last: dict[str, float] = {}
        self._sent: deque[float] = deque()

    def watch(self, watched: Watched) -> Callable[[], None]:
        """Probe what `watched` returns, asked anew before each round; the returned call ends that."""
        self._watchers.append(watched)
        return lambda: self._watchers.remove(watched)

    async def run(self) -> None:
        """Probe until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as probes:
            while True:
                if not self._members.connected:
                    # The client would keep the probes, and send them all once it is back.
                    await asyncio.sleep(LOOK)
                    continue
                now = loop.time()
                while self._sent and now - self._sent[0] >= WINDOW:
                    self._sent.popleft()
                planned = next_round(
                    self._asked(),
                    now,
                    budget=PROBES_PER_SECOND - len(self._sent),
                    renewed=self._sent[0] + WINDOW if self._sent else now,
                )
                for node in planned.now:
                    self._last[node] = now
                    self._sent.append(now)
                    probes.create_task(self._members.probe(node), name=f"probe {node}")
                # Never longer than a look: who is watched, and what a probe found, changes meanwhile.
                await asyncio.sleep(min(max(planned.again - now, 0.0), LOOK))

    def _asked(self) -> dict[str, Asked]:
        wanted: dict[str, float] = {}
        for watched in self._watchers:
            for node, every in watched().items():
                wanted[node] = min(every, wanted.get(node, every))
        self._last = {node: at for node, at in self._last.items() if node in wanted}
        return {
            node: Asked(every, self._last.get(node), self._members.absent_since(node))
            for node, every in wanted.items()
        }
