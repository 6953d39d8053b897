"""Lanes as people see them: what waits in each, for how long, and who serves it. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import UsageError
from ..demand import Demand, parse_demand
from .held import why_capped
from .nodes import Around
from .requests import RequestState


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDepth:
    """What a lane's consumers say of it."""

    demand: Demand
    queued: Mapping[int | None, int] = field(default_factory=dict)
    """Tasks that are not in flight, by priority; None: its one consumer takes every priority."""
    in_flight: int = 0
    oldest_at: float | None = None
    """Server time of its oldest message; None: it is empty."""
    closing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRow:
    """One line of `get lanes`."""

    lane: str
    """Its demand."""
    queued: int
    in_flight: int
    planned: int | None
    """Tasks of open requests that wait for room in it; None: not counted."""
    oldest_s: float | None
    """Age of its oldest task, in seconds; None: it is empty."""
    nodes: tuple[str, ...]
    """Living nodes that serve it."""
    free: int
    slots: int
    levels: Mapping[int | None, int]
    """Tasks that are not in flight, by priority."""
    closing: bool = False
    held_by: str = ""
    """Which cap keeps its tasks waiting, in words."""


def lane_rows(
    depths: Iterable[LaneDepth], around: Around, planned: Mapping[str, int] | None = None
) -> list[LaneRow]:
    """Return the rows of lanes, those with most waiting first.

    `planned`: what is planned per demand; a demand without a lane of its own gets a row too.
    """
    known = {str(depth.demand): depth for depth in depths}
    for text in planned or {}:
        demand = _demand(text)
        if demand is not None and str(demand) not in known:
            known[str(demand)] = LaneDepth(demand=demand)
    rows = []
    for text, depth in known.items():
        servers = around.servers(depth.demand)
        rows.append(
            LaneRow(
                lane=text,
                queued=sum(depth.queued.values()),
                in_flight=depth.in_flight,
                planned=None if planned is None else planned.get(text, 0),
                oldest_s=None if depth.oldest_at is None else max(0.0, around.now - depth.oldest_at),
                nodes=tuple(row.name for row in servers),
                free=sum(max(0, row.slots - row.used) for row in servers),
                slots=sum(row.slots for row in servers),
                levels=dict(depth.queued),
                closing=depth.closing,
                held_by=why_capped(depth.demand.capabilities, around.held_to),
            )
        )
    return sorted(rows, key=lambda row: (-row.queued - (row.planned or 0), -row.in_flight, row.lane))


def planned_by_demand(states: Collection[RequestState]) -> dict[str, int]:
    """Return how many tasks of open requests are planned and not yet released, by demand."""
    found: dict[str, int] = {}
    for state in states:
        if state.head.terminal:
            continue
        for step, task in state.tasks().items():
            if task is not None and step not in state.heads:
                demand = _demand(task.demand)
                text = str(demand) if demand is not None else task.demand
                found[text] = found.get(text, 0) + 1
    return found


def _demand(text: str) -> Demand | None:
    try:
        return parse_demand(text)
    except UsageError:
        return None  # a stranger wrote it
