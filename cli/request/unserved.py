"""What keeps a request that somebody follows: demands that no node serves, said at once and again."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import PicoclawError
from ..printing.output import safe

if TYPE_CHECKING:
    from ...swarm.demand import Demand
    from ...swarm.records import Plan
    from ...swarm.swarm import Swarm
    from ..printing.live import LiveLines

AGAIN = 30.0
"""Seconds without any event after which it is said again that the request waits."""


@dataclass(slots=True)
class Unserved:
    """Tells whoever follows a request why it does not move on."""

    swarm: "Swarm"
    request: str
    lines: "LiveLines"
    stays: bool = True
    """Others may join the swarm; False: it is this command's own."""
    _plan: "Plan | None" = None
    _last_event: float = field(default_factory=time.monotonic)

    def moved(self) -> None:
        """Note that something happened to the request."""
        self._last_event = time.monotonic()

    async def planned(self, plan: "Plan | None") -> None:
        """Name the demands that nobody serves now, with what helps."""
        self._plan = plan
        demands = await self._demands()
        for demand, why in demands:
            self.lines.say(safe(why))
            if not self.stays:
                self.lines.say(
                    "  define it in ~/.picoclaw/capabilities, or name its file: --capabilities.path"
                )
            elif start := node_for(demand, embedded=self._embedded):
                self.lines.say(f"  start one: {start}")
        if demands and self.stays and self._waits(demands):
            self.lines.say(f"  it waits until then; `picoclaw cancel {self.request}` ends it")

    async def remind(self) -> None:
        """Say it again while nothing happens; runs beside the following until cancelled."""
        while True:
            await asyncio.sleep(max(1.0, AGAIN - (time.monotonic() - self._last_event)))
            if time.monotonic() - self._last_event < AGAIN:
                continue
            self.moved()
            try:
                demands = await self._demands()
            except PicoclawError:
                continue  # the connection says so itself
            for _, why in demands:
                self.lines.say(f"still waiting: {safe(why)}")

    async def _demands(self) -> list[tuple["Demand", str]]:
        from ...swarm.demand import parse_demand
        from ...swarm.unroutable import why_unroutable

        await self.swarm.read_members()
        offers = [member.offer for member in self.swarm.members.living()]
        texts = dict.fromkeys(task.demand for task in self._plan.tasks) if self._plan is not None else ()
        unserved = [demand for demand in map(parse_demand, texts) if not self.swarm.members.slots_for(demand)]
        return [(demand, why_unroutable(demand, offers)) for demand in unserved]

    def _waits(self, demands: list[tuple["Demand", str]]) -> bool:
        assert self._plan is not None
        unserved = {str(demand) for demand, _ in demands}
        return any(task.unroutable == "wait" for task in self._plan.tasks if task.demand in unserved)

    @property
    def _embedded(self) -> bool:
        """Whether the swarm stands on this machine's shared server, which a new node must be told of."""
        from ...swarm.embedded.rundir import picoclaw_home, record_path, run_dir
        from ...swarm.locate import live_record

        record = live_record(record_path(run_dir(picoclaw_home())))
        url = self.swarm.client.connected_url
        return record is not None and url is not None and url.port == record.port


def node_for(demand: "Demand", *, embedded: bool) -> str:
    """Return the command that starts a node for a demand; empty where no flag makes one."""
    if demand.agent is not None or not (demand.capabilities or demand.node):
        return ""
    parts = ["picoclaw --swarm.role worker"]
    if demand.node is not None:
        parts.append(f"--swarm.name {demand.node}")
    if demand.capabilities:
        parts.append(f"--swarm.capabilities {','.join(demand.capabilities)}")
    if demand.labels:
        parts.append("--swarm.labels " + ",".join(f"{key}={value}" for key, value in demand.labels))
    return " ".join([*parts, *(["--swarm.nats.embedded"] if embedded else [])])
