"""Which uses of tools are allowed, asked for or denied. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Decision = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a policy."""

    tool: str
    """Shell pattern of a tool's name: `bash`, `mcp__github__*`."""
    what: str | None = None
    """Shell pattern of what the tool is to do: of `bash` each command of the line, of a file tool the
    path, of `web_fetch` the URL. None: whatever it is."""
    decision: Decision

    def __str__(self) -> str:
        return f"{self.decision} {self.tool}" + (f": {self.what}" if self.what is not None else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one agent; the strictest that fits decides, and where none does, the default."""

    rules: tuple[Rule, ...] = ()
    default: Decision = "allow"
    also: tuple["Policy", ...] = ()
    """Policies that hold beside it, such as the node's own: the strictest of all decides."""


_STRICTNESS: Mapping[Decision, int] = {"allow": 0, "ask": 1, "deny": 2}


def stricter(one: Decision, other: Decision) -> bool:
    """Return whether `one` is stricter than `other`."""
    return _STRICTNESS[one] > _STRICTNESS[other]
