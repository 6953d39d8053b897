"""The capabilities of a swarm as people see them: who has each, who lacks what, what waits. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...config.names import expand_capabilities
from ..demand import parse_demand
from .lanes import LaneRow
from .nodes import Around


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityRow:
    """One line of `get capabilities`."""

    capability: str
    nodes: tuple[str, ...]
    """Living nodes that serve it now."""
    not_ready: Mapping[str, str] = field(default_factory=dict)
    """Living nodes that declare it and cannot serve it, and what each needs."""
    free: int
    slots: int
    waiting: int
    """Tasks in lanes that ask for it, not in flight."""


def capability_rows(around: Around, lanes: Iterable[LaneRow]) -> list[CapabilityRow]:
    """Return the rows of all capabilities that some living node declares or some task waits for, by name."""
    living = [row for row in around.nodes if row.lives]
    serve = {row.name: expand_capabilities(frozenset(row.capabilities)) for row in living}
    waiting: dict[str, int] = {}
    for lane in lanes:
        for name in parse_demand(lane.lane).capabilities if lane.queued else ():
            waiting[name] = waiting.get(name, 0) + lane.queued
    names = set(waiting).union(*serve.values(), *(row.not_ready for row in living))
    rows = []
    for name in sorted(names):
        able = [row for row in living if name in serve[row.name]]
        rows.append(
            CapabilityRow(
                capability=name,
                nodes=tuple(row.name for row in able),
                not_ready={row.name: row.not_ready[name] for row in living if name in row.not_ready},
                free=sum(max(0, row.slots - row.used) for row in able),
                slots=sum(row.slots for row in able),
                waiting=waiting.get(name, 0),
            )
        )
    return rows
