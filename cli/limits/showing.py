"""How limits are shown: what is set, what holds, and what is used of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...swarm.limits.look import Fill, InUse
from ...swarm.limits.record import CAP, LIMITS, SwarmLimits, Value, default, value_of
from ...swarm.streams import Limits
from ..printing.output import echo_table, safe
from .values import plain, shown, shown_size

NAMED = 5
"""Nodes named in a line."""


def value_by_name(record: SwarmLimits, name: str) -> Value | None:
    """Return what was set by a name of the table, or for a cap; None: nothing."""
    if name.startswith(CAP):
        return record.caps.get(name.removeprefix(CAP))
    return value_of(record, LIMITS[name])


def print_limits(found: InUse, base: Limits) -> None:
    """Print every limit in a table."""
    rows = []
    for capability in sorted({*found.limits.caps, *found.slots}):
        cap = found.limits.caps.get(capability)
        nodes = found.slots.get(capability, ())
        held = f"{len(nodes)} in use" + (f": {_nodes(nodes)}" if nodes else "")
        rows.append((CAP + safe(capability, 60), "no limit" if cap is None else str(cap), "set", held))
    if not found.limits.caps:
        rows.append((f"{CAP}CAPABILITY", "no limit", "default", ""))
    for name, limit in LIMITS.items():
        own = value_of(found.limits, limit)
        value = default(base, limit) if own is None else own
        origin = "default" if own is None else "set"
        rows.append((name, shown(value, limit.kind), origin, _used(name, found)))
    echo_table(("LIMIT", "VALUE", "FROM", "NOW"), rows)


def _nodes(nodes: Sequence[str]) -> str:
    each = Counter(nodes)
    named = [safe(node, 60) + (f" x{number}" if number > 1 else "") for node, number in each.items()]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return ", ".join(named[:NAMED]) + more


def _used(name: str, found: InUse) -> str:
    if name == "request.running" and found.out:
        request, most = max(found.out.items(), key=lambda pair: pair[1])
        return f"{most} of {request}, the most"
    if name == "tenant.running":
        return f"{sum(found.out.values())} on their lanes or running"
    if name == "tenant.queued":
        return f"{found.open} open, {found.waiting} of them in the inbox"
    if name.startswith("budget."):
        return _spent(name, found)
    fill = found.fills.get(name)
    return _filled(fill) if fill is not None else ""


def _spent(name: str, found: InUse) -> str:
    total = found.spent
    if name == "budget.turns":
        return f"{total.turns} asked today" if total.turns else ""
    if name == "budget.tokens":
        return f"{total.tokens} used today" if total.turns else ""
    unknown = f", {total.unpriced} turns of unknown price" if total.unpriced else ""
    return f"{total.usd:.2f} USD spent today{unknown}" if total.turns else ""


def _filled(fill: Fill) -> str:
    share = f", {fill.used / fill.size:.0%} of {shown_size(fill.size)}" if fill.size else ""
    return f"{shown_size(fill.used)} used{share}"


def as_object(found: InUse, base: Limits) -> dict[str, Any]:
    """Return the stable JSON form."""
    record = found.limits
    values = {name: value_of(record, limit) for name, limit in LIMITS.items()}
    caps = sorted({*record.caps, *found.slots})
    return {
        "limits": plain(
            {name: default(base, LIMITS[name]) if value is None else value for name, value in values.items()}
        ),
        "set": [
            *(CAP + capability for capability in record.caps),
            *(name for name, value in values.items() if value is not None),
        ],
        "caps": {
            capability: {
                "cap": record.caps.get(capability),
                "used": len(found.slots.get(capability, ())),
                "nodes": list(found.slots.get(capability, ())),
            }
            for capability in caps
        },
        "running": {"total": sum(found.out.values()), "largest": max(found.out.values(), default=0)},
        "spent_today": {
            "turns": found.spent.turns,
            "tokens": found.spent.tokens,
            "usd": round(found.spent.usd, 6),
            "unpriced_turns": found.spent.unpriced,
        },
        "inbox": found.waiting,
        "open": found.open,
        "streams": {
            name.removeprefix("size."): {
                "used": fill.used,
                "size": fill.size,
                "messages": fill.messages,
                "age_s": fill.age_s,
            }
            for name, fill in found.fills.items()
        },
    }
