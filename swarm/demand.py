"""Demands: what a task asks of a node, in one canonical form, and whether a node meets it.

Pure. A lane is the canonical form of a demand (DESIGN.md section 5).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ..config.names import GENERAL, ROLE_MARKS, canonical_capability, check_name, expand_capabilities
from ..errors import NameRefused, PlanError

NODE_PREFIX = "node:"
AGENT_PREFIX = "agent:"


@dataclass(frozen=True, slots=True)
class Demand:
    """What a node must offer: capabilities (all of them), labels, or one node, or one agent."""

    capabilities: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    node: str | None = None
    agent: str | None = None

    def __str__(self) -> str:
        """Return the canonical form, which `parse` reads back."""
        if self.node is not None:
            return NODE_PREFIX + self.node
        head = AGENT_PREFIX + self.agent if self.agent is not None else "+".join(self.capabilities)
        return "".join([head, *(f"@{key}={value}" for key, value in self.labels)])

    @property
    def levels(self) -> int:
        """How many priority consumers its lane has: node and agent lanes have one."""
        return 1 if self.node is not None or self.agent is not None else 4


def parse_demand(text: str, labels: Mapping[str, str] | None = None) -> Demand:
    """Read `code`, `docs+security`, `gpu@region=us`, `node:NAME` or `agent:NAME`.

    Raises NameRefused for a name that cannot be carried and PlanError for a demand nobody can meet.
    """
    return _parse(text, tuple((labels or {}).items()))


@lru_cache(maxsize=1024)
def _parse(text: str, labels: tuple[tuple[str, str], ...]) -> Demand:
    # Kept, because a plan of 50,000 tasks has a handful of demands, each read several times per task.
    text = text.strip(" ")
    if text.startswith(NODE_PREFIX):
        return Demand(node=check_name(text.removeprefix(NODE_PREFIX), "node name"))
    head, *rest = text.split("@")
    wanted = dict(labels)
    for part in rest:
        key, separator, value = part.partition("=")
        if not separator:
            raise NameRefused(f"label {part!r} in {text!r} is not KEY=VALUE: write it as @{part}=VALUE")
        wanted[check_name(key, "label name")] = check_name(value, f"label {key}")
    for key, value in wanted.items():
        if any(mark in key + value for mark in "@=+"):
            raise NameRefused(f"label {key}={value} holds '@', '=' or '+', which separate labels: rename it")
    pairs = tuple(sorted(wanted.items()))
    if head.startswith(AGENT_PREFIX):
        return Demand(agent=check_name(head.removeprefix(AGENT_PREFIX), "agent name"), labels=pairs)
    # "c++" holds the separator itself.
    parts = re.sub(r"(?i)\bc\+\+", "cpp", head).split("+")
    names = tuple(sorted({canonical_capability(part) for part in parts}))
    for name in names:
        if name in ROLE_MARKS:
            raise PlanError(f"capability {name!r} marks a role; no node serves tasks for it: ask for another")
    return Demand(capabilities=names, labels=pairs)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a node can serve now: the part of its advert that matching looks at."""

    node: str
    role: str
    capabilities: frozenset[str]
    """Ready capabilities by wire name, without the parents they imply."""
    general: bool = False
    """It also serves, last of all, whatever else of this machine is in `capabilities`."""
    named: frozenset[str] = frozenset()
    """The capabilities that its user named, as opposed to those that `general` stands for."""
    labels: Mapping[str, str] = field(default_factory=dict)
    agents: frozenset[str] = frozenset()
    not_ready: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Capabilities that it declares and cannot serve now, and what they need; no demand is met by them."""
    optional: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Programs of others that would be agents there, and what they need; no demand is met by them."""


def missing(demand: Demand, offer: Offer) -> tuple[str, ...]:
    """Return what the offer lacks for the demand, in words; empty when it meets it."""
    lacks: list[str] = []
    if demand.node is not None and demand.node != offer.node:
        lacks.append(f"is not node {demand.node}")
    if demand.agent is not None and demand.agent not in offer.agents:
        needs = offer.optional.get(demand.agent)
        lacks.append(f"agent {demand.agent}{f': {needs}' if needs else ''}")
    serves = expand_capabilities(offer.capabilities)
    lacks += [f"capability {name}" for name in demand.capabilities if name not in serves]
    lacks += [f"label {key}={value}" for key, value in demand.labels if offer.labels.get(key) != value]
    return tuple(lacks)


def serves(offer: Offer, demand: Demand) -> bool:
    """Return whether a node with this offer may take tasks with this demand."""
    return not missing(demand, offer)


def pull_rank(offer: Offer, demand: Demand) -> int:
    """Return the broker's priority for this node's pulls, 0 first to 9 last.

    A specialist pulls with 0, a worker that names the capability with 4, a generalist with 7.
    """
    named = expand_capabilities(offer.named - {GENERAL})
    by_name = demand.node is not None or demand.agent is not None or set(demand.capabilities) <= named
    if not by_name:
        return 7
    return 0 if offer.role == "specialist" else 4
