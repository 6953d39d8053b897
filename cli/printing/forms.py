"""The stable JSON forms of what lists and descriptions show."""

from typing import TYPE_CHECKING, Any

from .output import iso

if TYPE_CHECKING:
    from ...swarm.views.capabilities import CapabilityRow
    from ...swarm.views.history import HistoryRow
    from ...swarm.views.lanes import LaneRow
    from ...swarm.views.nodes import NodeRow
    from ...swarm.views.requests import RequestRow, TaskRow

PRIORITIES = {0: "low", 1: "normal", 2: "high", 3: "critical"}


def node_json(row: "NodeRow") -> dict[str, Any]:
    """Return a node's stable JSON form."""
    return {
        "name": row.name,
        "role": row.role,
        "status": row.status,
        "why": row.why,
        "capabilities": list(row.capabilities),
        "marks": list(row.marks),
        "general": row.general,
        "not_ready": dict(row.not_ready),
        "labels": dict(row.labels),
        "agents": list(row.agents),
        "tasks": list(row.tasks),
        "used": row.used,
        "slots": row.slots,
        "last_heartbeat_s": round(row.heard_s, 3),
        "uptime_s": round(row.uptime_s, 3),
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "run": row.run,
        "sid": row.sid,
        "leads": row.coordinates and row.status != "offline",
        "promotable": row.promotable,
        "sandbox": row.sandbox,
        "optional": dict(row.optional),
    }


def shown_status(row: "TaskRow") -> str:
    """Return a task's status, with what one that runs waits for."""
    waits = {"approval": "running (asks)", "resume": "running (paused)"}
    return waits.get(row.waits_for, row.status)


def task_json(row: "TaskRow") -> dict[str, Any]:
    """Return a task's stable JSON form."""
    return {
        "id": row.id,
        "request": row.request,
        "step": row.step,
        "title": row.title,
        "capability": row.capability,
        "does": row.does or None,
        "node": row.node,
        "state": row.state,
        "status": row.status,
        "attempt": row.attempt,
        "priority": row.priority,
        "created_at": iso(row.created_at),
        "changed_at": iso(row.changed_at),
        "reason": row.reason,
        "carried": row.carried or None,
    }


def request_json(row: "RequestRow") -> dict[str, Any]:
    """Return a request's stable JSON form."""
    return {
        "id": row.id,
        "state": row.state,
        "status": row.status,
        "done": row.done,
        "total": row.total,
        "owner": row.owner,
        "priority": row.priority,
        "created_at": iso(row.created_at),
        "changed_at": iso(row.changed_at),
        "reason": row.reason,
        "text": row.text,
        "retries": row.retries or None,
    }


def lane_json(row: "LaneRow") -> dict[str, Any]:
    """Return a lane's stable JSON form."""
    return {
        "lane": row.lane,
        "queued": row.queued,
        "in_flight": row.in_flight,
        "planned": row.planned,
        "oldest_s": None if row.oldest_s is None else round(row.oldest_s, 3),
        "nodes": list(row.nodes),
        "free": row.free,
        "slots": row.slots,
        "priorities": {level_name(level): number for level, number in row.levels.items()},
        "closing": row.closing,
        "held_by": row.held_by or None,
    }


def level_name(level: int | None) -> str:
    """Return a priority level's name; None: a lane whose one consumer takes all of them."""
    return "any" if level is None else PRIORITIES.get(level, str(level))


def capability_json(row: "CapabilityRow") -> dict[str, Any]:
    """Return a capability's stable JSON form."""
    return {
        "capability": row.capability,
        "nodes": list(row.nodes),
        "not_ready": dict(row.not_ready),
        "free": row.free,
        "slots": row.slots,
        "waiting": row.waiting,
    }


def history_json(entry: "HistoryRow") -> dict[str, Any]:
    """Return one entry of a history in its stable JSON form."""
    return {
        "at": iso(entry.at),
        "seq": entry.seq,
        "step": entry.step,
        "what": entry.what,
        "attempt": entry.attempt,
        "node": entry.node,
        "by": entry.by,
        "reason": entry.reason,
    }
