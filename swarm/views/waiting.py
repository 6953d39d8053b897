"""Why a request or a task waits, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...errors import UsageError
from ..demand import Demand, parse_demand
from ..fold import RequestHead, TaskHead
from ..records import Task
from ..unroutable import why_unroutable
from .held import why_capped, why_over_quota
from .nodes import Around

START_ONE = "start one with `picoclaw --swarm.role coordinator`"
NO_COORDINATOR = f"no coordinator is alive: {START_ONE}"
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


def no_coordinator(successors: Sequence[str]) -> str:
    """Return what is to be done, or awaited, where no coordinator is alive.

    `successors`: the living nodes that take the role by themselves.
    """
    if not successors:
        return NO_COORDINATOR
    return f"no coordinator is alive: {_names(successors)} takes the role soon, or {START_ONE}"


def waits_in_inbox(successors: Sequence[str]) -> str:
    """Return what becomes of a request that was sent while no coordinator is alive."""
    start = "start one with --swarm.role coordinator"
    if not successors:
        return f"no coordinator is alive: it waits in the inbox; {start}"
    return f"no coordinator is alive: it waits in the inbox until {_names(successors)} takes the role, or {start}"


def _names(successors: Sequence[str]) -> str:
    return successors[0] if len(successors) == 1 else f"one of {len(successors)} workers"


def why_request_waits(head: RequestHead, around: Around, due_at: float | None = None) -> str:
    """Return why a request does not move on; empty when nothing keeps it.

    `due_at`: server time for which it waits, where somebody gave it one.
    """
    if head.terminal:
        return ""
    if due_at is not None:
        return scheduled_for(due_at, around.now)
    if not head.accepted:
        if not around.coordinators:
            return no_coordinator(around.successors)
        return "waits in the inbox for a coordinator with room"
    if around.run_lives(head.owner, head.run):
        return ""
    lost = f"its coordinator {head.owner} is offline"
    if not around.coordinators:
        return f"{lost}, and {no_coordinator(around.successors)}"
    return f"{lost}: another one takes it over"


def scheduled_for(due_at: float, now: float) -> str:
    """Return for when a request is scheduled, in words, by this machine's time zone."""
    left = max(0, round(due_at - now))
    when = datetime.fromtimestamp(due_at).astimezone().strftime("%a %Y-%m-%d %H:%M:%S %Z")
    return f"scheduled for {when} (in {timedelta(seconds=left)})"


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
            return _queued(head, task, around, place)
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
    if task is not None:
        held = _unroutable(task.demand, around) or why_capped(_capabilities(task), around.held_to)
        if held:
            return held
    out = sum(one.state in ("queued", "running") for one in heads.values())
    return why_over_quota(out, around.held_to) or "waits for room in its lane"


def _capabilities(task: Task) -> tuple[str, ...]:
    demand = _demand(task.demand)
    named = demand.capabilities if demand is not None else ()
    return (*named, task.capability) if task.capability else named


def _queued(head: TaskHead, task: Task | None, around: Around, place: LanePlace | None) -> str:
    if head.not_before is not None and head.not_before > around.now:
        return f"not before {head.not_before - around.now:.0f} s from now ({head.reason or 'retry'})"
    unroutable = _unroutable(head.demand, around)
    if unroutable:
        return unroutable
    demand = _demand(head.demand)
    wanted = _capabilities(task) if task is not None else demand.capabilities if demand is not None else ()
    capped = why_capped(wanted, around.held_to)
    servers = around.servers(demand) if demand is not None else []
    free = sum(max(0, row.slots - row.used) for row in servers)
    slots = sum(row.slots for row in servers)
    where = f"in lane {head.demand}"
    if place is not None and place.position is not None:
        where += f", place {place.position} of {place.waiting}"
    busy = f"all {slots} slots are busy" if slots != 1 else "the only slot is busy"
    room = f"{free} of {slots} slots free" if free else busy
    retry = f"; {head.reason}" if head.reason not in ("", "released") else ""
    return f"waits {where} ({capped or room}){retry}"


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
