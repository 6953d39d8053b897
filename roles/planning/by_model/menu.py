"""The menu: what the live nodes can be asked for, as a model that plans is told of it. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ....config.names import GENERAL, PARENTS, ROLE_MARKS, expand_capabilities
from ....swarm.demand import AGENT_PREFIX, Offer

FREE_TEXT = (GENERAL, "research", "writing")
"""Capabilities that take a task in words, the most general first; each agent does besides them."""
SHOWN = 200
"""Entries of the menu at most."""

_ANALYZERS = "static analysis of the request's repository; takes no instructions and needs a repository"
MEANINGS: Mapping[str, str] = {
    GENERAL: "an agent for any task in words",
    "research": "an agent that looks things up and reports what it found",
    "writing": "an agent that writes texts",
    "code": f"bugs, types, dead code, complexity: {_ANALYZERS}",
    "security": f"vulnerabilities and secrets: {_ANALYZERS}",
    "docs": f"docstrings and spelling: {_ANALYZERS}",
    "testing": f"tests and coverage: {_ANALYZERS}",
}
"""What is said of a capability that nobody describes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One demand that a task may have."""

    demand: str
    nodes: int
    """How many live nodes meet it."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """All of them, and by which labels a node may be chosen besides."""

    choices: tuple[Choice, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def demands(self) -> frozenset[str]:
        return frozenset(choice.demand for choice in self.choices)

    @property
    def free_text(self) -> str | None:
        """The demand that takes any task in words best; None where nobody does."""
        demands = self.demands
        agents = sorted(demand for demand in demands if demand.startswith(AGENT_PREFIX))
        return next((demand for demand in (*FREE_TEXT, *agents) if demand in demands), None)


def make_menu(offers: Sequence[Offer], described: Mapping[str, str] | None = None) -> Menu:
    """Return what can be asked for now; `described` says of a demand what it does."""
    nodes: dict[str, int] = defaultdict(int)
    labels: set[str] = set()
    for offer in offers:
        served = {name for name in expand_capabilities(offer.capabilities) if name not in ROLE_MARKS}
        served |= {f"{AGENT_PREFIX}{name}" for name in offer.agents}
        for demand in served:
            nodes[demand] += 1
        if served:
            labels |= {f"{key}={value}" for key, value in offer.labels.items()}
    words = {**MEANINGS, **(described or {})}
    choices = [
        Choice(demand, number, words.get(demand) or _of_language(demand)) for demand, number in nodes.items()
    ]
    return Menu(
        tuple(sorted(choices, key=lambda choice: choice.demand)[:SHOWN]), tuple(sorted(labels)[:SHOWN])
    )


def _of_language(demand: str) -> str:
    return f"{demand} sources: {_ANALYZERS}" if demand in PARENTS else ""
