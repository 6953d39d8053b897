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


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one agent; the strictest that fits decides, and where none does, the default."""

    rules: tuple[Rule, ...] = ()
    default: Decision = "allow"


_STRICTNESS: Mapping[Decision, int] = {"allow": 0, "ask": 1, "deny": 2}
