"""Which living nodes come near to a task, and what each of them lacks. Pure."""

from dataclasses import dataclass

from ...errors import UsageError
from ..demand import parse_demand
from ..membership.liveness import NodeStatus
from ..unroutable import nearest
from .nodes import Around


@dataclass(frozen=True, slots=True, kw_only=True)
class NearRow:
    """One node, as it stands to a demand."""

    node: str
    status: NodeStatus
    free: int
    slots: int
    lacks: tuple[str, ...]
    """In words; empty: it serves the demand."""


def near_rows(demand: str, around: Around) -> list[NearRow]:
    """Return the living nodes that can hold tasks, those that lack least first.

    What a node declares and cannot serve now is told with what it needs.
    """
    try:
        wanted = parse_demand(demand)
    except UsageError:
        return []  # a stranger wrote it; that nobody can meet it is said elsewhere
    rows = {row.name: row for row in around.nodes}
    found = []
    for name, lacks in nearest(wanted, around.offers):
        row = rows[name]
        # A coordinator that serves nothing comes near to nothing.
        if row.role == "coordinator" and not row.capabilities and wanted.node != name:
            continue
        needs = {f"capability {what}": why for what, why in row.not_ready.items()}
        found.append(
            NearRow(
                node=name,
                status=row.status,
                free=max(0, row.slots - row.used),
                slots=row.slots,
                lacks=tuple(f"{lack} (declared: {needs[lack]})" if lack in needs else lack for lack in lacks),
            )
        )
    return found
