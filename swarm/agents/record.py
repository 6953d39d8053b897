"""Agent record: a profile as it stands in the registry, for every node to follow."""

from typing import Annotated, ClassVar

from pydantic import Field

from ..records import Decision, Limited, Record, RuleRecord


class AgentRecord(Record):
    """One agent; what is None or empty is the node's or the program's default."""

    kind_name: ClassVar[str] = "agent"
    name: str
    description: str = ""
    models: tuple[str, ...] = ()
    system: str = ""
    tools: tuple[str, ...] | None = None
    """None: all that are ready on the node."""
    skills: tuple[str, ...] = ()
    mcp: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    budget: Limited | None = None
    wall_s: Annotated[float, Field(gt=0)] | None = None
    """Longest run of one task, in seconds."""
    rules: tuple[RuleRecord, ...] = ()
    default: Decision | None = None
    """What holds where no rule fits; None: `allow`."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Of one answer."""
    created_at: float = 0.0
    """Server time."""
    created_by: str = ""
