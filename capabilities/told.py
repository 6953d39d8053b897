"""What the families are told of their node beyond the paths of definition files."""

from dataclasses import dataclass, field
from pathlib import Path

from ..config.settings import Settings
from ..swarm.agents.record import AgentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The node that executors are to serve on."""

    settings: Settings = field(default_factory=Settings)
    home: Path | None = None
    """`~/.picoclaw`, or where its like is; None: nothing is read from there."""
    registered: tuple[AgentRecord, ...] = ()
    """The agents that the swarm's registry has."""
    refused: tuple[tuple[str, str], ...] = ()
    """Models whose provider refused this node's key, each with what it said."""
