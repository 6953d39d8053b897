"""Why a request or a task waits, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import UsageError
from ..demand import Demand, parse_demand
from ..fold import RequestHead, TaskHead
from ..records import Task
from ..unroutable import why_unroutable
from .nodes import Around

NO_COORDINATOR = "no coordinator is alive: start one with `picoclaw --swarm.role coordinator`"
NAMED = 5
"""How many upstream steps a text names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePlace:
    """Where a task stands in its lane."""

    position: int | None
    """1: the next one that its priority level delivers; None: it is in flight, or on a schedule."""
    waiting: int
    """Tasks of its priority level in the lane that are not in flight."""
    in_flight: int


def why_request_waits(head: RequestHead, around: Around) -> str:
    """Return why a request does not move on; empty when nothing keeps it."""
    if head.terminal:
        return ""
    if not head.accepted:
        if not around.coordinators:
            return NO_COORDINATOR
        return "waits in the inbox for a coordinator with room"
    if around.run_lives(head.owner, head.run):
        return ""
    lost = f"its coordinator {head.owner} is offline"
    if not around.coordinators:
        return f"{lost}, and {NO_COORDINATOR}"
    return f"{lost}: another one takes it over"


def why_task_waits(
    head: TaskHead,
    task: Task | None,
    request: RequestHead,
    heads: Mapping[str, TaskHead],
    around: Around,
    place: LanePlace | None = None,
) -> str:
    """Return why an open task does not run; empty for one that runs on a living node.

    It begins with `unroutable: ` when no living node serves its demand.
    """
    match head.state:
        case "planned":
            return _planned(task, request, heads, around)
        case "queued":
            return _queued(head, request, around, place)
        case "running":
            return _running(head, request, around)
    return ""


def _planned(task: Task | None, request: RequestHead, heads: Mapping[str, TaskHead], around: Around) -> str:
    if request.cancelling:
        return "its request is being cancelled"
    upstream = [step for step in (task.after if task else ()) if not heads.get(step, TaskHead()).terminal]
    if upstream:
        more = f" and {len(upstream) - NAMED} more" if len(upstream) > NAMED else ""
        return f"waits for {', '.join(upstream[:NAMED])}{more}"
    stuck = why_request_waits(request, around)
    if stuck:
        return stuck
    return (_unroutable(task.demand, around) if task else "") or "waits for room in its lane"


def _queued(head: TaskHead, request: RequestHead, around: Around, place: LanePlace | None) -> str:
    if head.not_before is not None and head.not_before > around.now:
        return f"not before {head.not_before - around.now:.0f} s from now ({head.reason or 'retry'})"
    unroutable = _unroutable(head.demand, around)
    if unroutable:
        return unroutable
    demand = _demand(head.demand)
    servers = around.servers(demand) if demand is not None else []
    free = sum(max(0, row.slots - row.used) for row in servers)
    slots = sum(row.slots for row in servers)
    where = f"in lane {head.demand}"
    if place is not None and place.position is not None:
        where += f", place {place.position} of {place.waiting}"
    busy = f"all {slots} slots are busy" if slots != 1 else "the only slot is busy"
    room = f"{free} of {slots} slots free" if free else busy
    retry = f"; {head.reason}" if head.reason not in ("", "released") else ""
    return f"waits {where} ({room}){retry}"


def _running(head: TaskHead, request: RequestHead, around: Around) -> str:
    if around.run_lives(head.node, head.run):
        return ""
    stuck = why_request_waits(request, around)
    return f"its node {head.node} is offline: " + (stuck or "another attempt follows")


def _unroutable(demand: str, around: Around) -> str:
    wanted = _demand(demand)
    if wanted is None:
        return f"unroutable: {demand!r} is no demand that a node can meet"
    why = why_unroutable(wanted, around.offers)
    return f"unroutable: {why}" if why else ""


def _demand(text: str) -> Demand | None:
    """Read a demand from the log; None where a stranger wrote it."""
    try:
        return parse_demand(text)
    except UsageError:
        return None
