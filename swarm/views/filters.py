"""Filters of lists: which nodes, tasks and requests are meant. Pure.

Each takes klaw's words for a status as well as ours. What nobody serves is queued all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...config.names import canonical_capability, expand_capabilities
from ...config.spelling import did_you_mean
from ...errors import UsageError
from ..demand import Demand, parse_demand
from .nodes import NodeRow
from .requests import RequestRow, TaskRow

Kind = Literal["node", "task", "request"]

STATUSES: Mapping[Kind, tuple[str, ...]] = {
    "node": ("online", "busy", "suspicious", "offline", "draining"),
    "task": ("planned", "queued", "unroutable", "running", "done", "failed", "dead", "cancelled"),
    "request": ("queued", "running", "cancelling", "done", "partial", "failed", "cancelled"),
}
OTHER_WORDS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    "node": {"ready": ("online", "busy"), "notready": ("suspicious", "offline")},
    "task": {
        "pending": ("planned", "queued", "unroutable"),
        "queued": ("queued", "unroutable"),
        "completed": ("done",),
    },
    "request": {"pending": ("queued",), "completed": ("done", "partial"), "done(partial)": ("partial",)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a row has to be to be shown; empty fields ask for nothing."""

    statuses: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    """Any of them, by wire name."""
    roles: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """All of them; None: whatever its value."""

    def node(self, row: NodeRow) -> bool:
        """Return whether to show a node."""
        able = expand_capabilities(frozenset(row.capabilities)) | set(row.not_ready)
        return (
            (not self.statuses or row.status in self.statuses)
            and (not self.roles or row.role in self.roles)
            and (not self.nodes or row.name in self.nodes)
            and (not self.capabilities or bool(self.capabilities & able))
            and self._labelled(row.labels)
        )

    def task(self, row: TaskRow) -> bool:
        """Return whether to show a task; its labels and capabilities are those that it demands."""
        if self.statuses and row.status not in self.statuses:
            return False
        if self.nodes and row.node not in self.nodes:
            return False
        if not self.capabilities and not self.labels:
            return True
        demand = _demand(row.capability)
        wanted = frozenset(demand.capabilities) | ({row.does} if row.does else set())
        return (not self.capabilities or bool(self.capabilities & wanted)) and self._labelled(
            dict(demand.labels)
        )

    def request(self, row: RequestRow) -> bool:
        """Return whether to show a request; its node is the coordinator that owns it."""
        status = "partial" if row.status == "done(partial)" else row.status
        return (not self.statuses or status in self.statuses) and (not self.nodes or row.owner in self.nodes)

    def _labelled(self, labels: Mapping[str, str]) -> bool:
        return all(
            key in labels and (value is None or labels[key] == value) for key, value in self.labels.items()
        )


def read_statuses(kind: Kind, given: tuple[str, ...]) -> frozenset[str]:
    """Return the statuses that are meant, each word possibly several by commas.

    Raises UsageError for one that no such thing ever has.
    """
    known = STATUSES[kind]
    found: set[str] = set()
    for word in (part.strip().lower() for text in given for part in text.split(",")):
        if word in OTHER_WORDS[kind]:
            found.update(OTHER_WORDS[kind][word])
        elif word in known:
            found.add(word)
        else:
            raise UsageError(
                f"no {kind} ever has status {word!r}{did_you_mean(word, known)}; there is: {', '.join(known)}"
            )
    return frozenset(found)


def read_labels(given: tuple[str, ...]) -> dict[str, str | None]:
    """Return the labels of `KEY=VALUE`, or `KEY` for whatever value; raises UsageError."""
    found: dict[str, str | None] = {}
    for part in (part.strip() for text in given for part in text.split(",")):
        key, equals, value = part.partition("=")
        if not key.strip():
            raise UsageError(f"label {part!r} has no name: write KEY=VALUE, or KEY for any value")
        found[key.strip()] = value.strip() if equals else None
    return found


def read_capabilities(given: tuple[str, ...]) -> frozenset[str]:
    """Return capabilities by wire name, aliases resolved; raises NameRefused."""
    return frozenset(canonical_capability(part) for text in given for part in text.split(","))


def _demand(text: str) -> Demand:
    try:
        return parse_demand(text)
    except UsageError:
        return Demand()  # a stranger wrote it
