"""The figures of the dashboard.

Totals add up: every discovered node is either online or offline; busy, suspicious and draining
nodes are still there and count as online. Roles and capacity count the nodes that are online.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .nodes import NodeRow

CELLS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts over the discovered nodes."""

    total: int
    online: int
    offline: int
    coordinators: int
    workers: int
    specialists: int
    promoted: tuple[str, ...] = ()
    """Names of those that took the coordinator's role, being none."""
    used: int
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One line of the panel's connections."""

    ok: bool
    detail: str
    """An address without credentials, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Everything that the panel shows."""

    this: NodeRow | None
    nats: Connection
    temporal: Connection
    statistics: Statistics
    nodes: tuple[NodeRow, ...]
    asks: int = 0
    """Questions of agents that wait for an answer."""


def statistics(nodes: Sequence[NodeRow]) -> Statistics:
    """Count the nodes."""
    here = [row for row in nodes if row.status != "offline"]

    def of(role: str) -> int:
        return sum(1 for row in here if row.role == role)

    return Statistics(
        total=len(nodes),
        online=len(here),
        offline=len(nodes) - len(here),
        coordinators=of("coordinator"),
        workers=of("worker"),
        specialists=of("specialist"),
        promoted=tuple(row.name for row in here if row.promoted),
        used=sum(row.used for row in here),
        slots=sum(row.slots for row in here),
    )


def filled_cells(used: int, slots: int) -> int:
    """Return how many of the bar's nine cells are full: load times nine, rounded half up."""
    return min(CELLS, int(used / slots * CELLS + 0.5)) if slots > 0 else 0


def this_node(nodes: Sequence[NodeRow], here: Collection[tuple[str, int]]) -> NodeRow | None:
    """Return the node of this machine that has run longest; `here`: name and pid of those that live."""
    mine = [row for row in nodes if (row.name, row.pid) in here]
    return max(mine, key=lambda row: (row.uptime_s, row.name), default=None)
