"""An agent: its model, its tools, what it may spend and do."""

from dataclasses import dataclass, field

from ..approvals.policy import Policy
from ..budget.limits import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One agent as its user defines it; nodes that have it serve lane `agent:NAME`."""

    name: str
    description: str = ""
    models: tuple[str, ...] = ()
    """`provider/name`; the first that answers. Empty: the node's (`llm.model`, `llm.fallbacks`)."""
    system: str = ""
    """Says who it is; the frame of the loop (tools, workspace, honesty) stands before it."""
    tools: tuple[str, ...] | None = None
    """Names or shell patterns; None: all that are ready here."""
    left: tuple[str, ...] | None = None
    """Of an agent made up for one task, what it was given of all tools, those of MCP servers and `skill` too;
    None: all of them."""
    skills: tuple[str, ...] = ()
    mcp: tuple[str, ...] = ()
    """Names of configured MCP servers."""
    capabilities: tuple[str, ...] = ()
    """What it serves besides its own lane, by wire name."""
    budget: Budget = field(default_factory=Budget)
    policy: Policy = field(default_factory=Policy)
    max_tokens: int = 8192
    """Of one answer."""
    place: str = ""
    """Where it is defined: `FILE:LINE`, or `registry`."""
