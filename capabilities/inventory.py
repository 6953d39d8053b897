"""Inventory: what this machine can offer, by what, and what it lacks for the rest. Pure, given the executors."""

from dataclasses import dataclass
from typing import Literal

from ..config.names import GENERAL, PARENTS
from ..swarm.demand import AGENT_PREFIX
from .executor import AgentServed, Executors, UserDefined
from .registry import NEEDS_MODEL, missing

By = Literal["analyzers", "command", "function", "agent", "all that is ready", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One capability, as this machine stands to it."""

    name: str
    by: By
    """Empty: nothing here serves it."""
    place: str = ""
    """Where a definition of the user's stands."""
    description: str = ""
    needs: str = ""
    """What is missing, with the remedy; empty when it is ready."""

    @property
    def ready(self) -> bool:
        return not self.needs


def inventory(executors: Executors, *, everything: bool = False) -> tuple[Offered, ...]:
    """Return the capabilities by name: those that something serves here, `general`, and the guide's.

    `everything` adds the languages that nothing here serves.
    """
    here = {name for name in executors if not name.startswith(AGENT_PREFIX)} - {GENERAL}
    names = {*here, *NEEDS_MODEL, *(PARENTS if everything else ())}
    return (*(look_up(name, executors) for name in sorted(names)), look_up(GENERAL, executors))


def look_up(name: str, executors: Executors) -> Offered:
    """Return how this machine stands to one capability, by wire name."""
    if name == GENERAL:
        ready = any(not missing(other, executors) for other in executors)
        return Offered(
            name=name,
            by="all that is ready",
            description="whatever else is ready here",
            needs="" if ready else "needs at least one capability that is ready",
        )
    executor = executors.get(name)
    needs = missing(name, executors)
    if executor is None:
        return Offered(name=name, by="", needs=needs)
    if isinstance(executor, UserDefined):
        told = executor.described
        by: By = "function" if told.kind == "function" else "command"
        return Offered(name=name, by=by, place=told.place, description=told.text, needs=needs)
    if isinstance(executor, AgentServed):
        return Offered(name=name, by="agent", description=f"agent {executor.agent}", needs=needs)
    return Offered(name=name, by="analyzers", description="review of a repository", needs=needs)
