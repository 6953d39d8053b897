"""Agents as people see them: who is defined, and which nodes serve them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..agents.record import AgentRecord
from ..demand import AGENT_PREFIX
from .nodes import NodeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """One agent of the swarm."""

    name: str
    record: AgentRecord | None = None
    """None: the registry has none, a node brings it along."""
    changed_at: float | None = None
    nodes: tuple[str, ...] = ()
    """The nodes that serve it now."""
    free: int = 0
    """Their free slots."""
    not_ready: Mapping[str, str] = field(default_factory=dict)
    """Nodes that define it and cannot serve it, with what they need."""


def agent_rows(
    registered: Mapping[str, tuple[AgentRecord, float]], nodes: Sequence[NodeRow]
) -> tuple[AgentRow, ...]:
    """Return every agent that the registry or a living node has, by name."""
    living = [node for node in nodes if node.lives]
    names = {*registered, *(name for node in living for name in node.agents)}
    names |= {
        name.removeprefix(AGENT_PREFIX)
        for node in living
        for name in node.not_ready
        if name.startswith(AGENT_PREFIX)
    }
    rows = []
    for name in sorted(names):
        serving = [node for node in living if name in node.agents]
        record, changed_at = registered.get(name, (None, None))
        rows.append(
            AgentRow(
                name=name,
                record=record,
                changed_at=changed_at,
                nodes=tuple(sorted(node.name for node in serving)),
                free=sum(max(0, node.slots - node.used) for node in serving),
                not_ready={
                    node.name: node.not_ready[AGENT_PREFIX + name]
                    for node in living
                    if AGENT_PREFIX + name in node.not_ready
                },
            )
        )
    return tuple(rows)
