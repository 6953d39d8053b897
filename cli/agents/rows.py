"""Agents as they are printed, and in their stable JSON form."""

from typing import TYPE_CHECKING, Any

from ..printing.formats import Listing
from ..printing.output import iso, safe

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm
    from ...swarm.views.agents import AgentRow

TEXT = 200


async def read_agents(swarm: "Swarm") -> "tuple[AgentRow, ...]":
    """Return every agent of the swarm, as it stands now."""
    from ...swarm.agents.store import list_agents
    from ...swarm.look import look_around
    from ...swarm.views.agents import agent_rows

    around = await look_around(swarm)
    registered = {one.record.name: (one.record, one.at) for one in await list_agents(swarm)}
    return agent_rows(registered, around.nodes)


def agent_json(row: "AgentRow") -> dict[str, Any]:
    """Return the stable JSON form; what is not registered has no more than its name and nodes."""
    record = row.record
    budget = record.budget if record is not None else None
    return {
        "name": row.name,
        "registered": record is not None,
        "description": record.description if record is not None else None,
        "models": list(record.models) if record is not None else [],
        "tools": list(record.tools) if record is not None and record.tools is not None else None,
        "skills": list(record.skills) if record is not None else [],
        "mcp": list(record.mcp) if record is not None else [],
        "capabilities": list(record.capabilities) if record is not None else [],
        "budget": {
            "usd": budget.usd if budget is not None else None,
            "tokens": budget.tokens if budget is not None else None,
            "turns": budget.turns if budget is not None else None,
            "wall_s": record.wall_s if record is not None else None,
            "on_breach": budget.on_breach if budget is not None else None,
        },
        "policy": {
            "default": (record.default or "allow") if record is not None else None,
            "rules": [
                {"decision": rule.decision, "tool": rule.tool, "what": rule.what}
                for rule in (record.rules if record is not None else ())
            ],
        },
        "nodes": list(row.nodes),
        "free": row.free,
        "not_ready": dict(row.not_ready),
        "created_at": iso(record.created_at) if record is not None else None,
        "created_by": (record.created_by or None) if record is not None else None,
        "changed_at": iso(row.changed_at) if row.changed_at is not None else None,
    }


def _model(row: "AgentRow") -> str:
    models = row.record.models if row.record is not None else ()
    return safe(", ".join(models)) or "-"


def _where(row: "AgentRow") -> str:
    return "registry" if row.record is not None else "nodes"


def described(row: "AgentRow") -> str:
    """Return what an agent is for; of one that no registry has, as picoclaw itself knows those of its name."""
    if row.record is not None:
        return safe(row.record.description, TEXT)
    from ...capabilities.agent.coding.known import KNOWN
    from ...capabilities.agent.profiles.built_in import BUILT_IN

    known = {profile.name: profile.description for profile in BUILT_IN}
    return known.get(row.name) or (
        f"The program {row.name}" if row.name in {one.name for one in KNOWN} else ""
    )


LISTING: Listing["AgentRow"] = Listing(
    columns=(
        ("NAME", lambda row: safe(row.name)),
        ("MODEL", _model),
        ("NODES", lambda row: str(len(row.nodes))),
        ("FREE", lambda row: str(row.free)),
        ("DESCRIPTION", described),
    ),
    wide=(
        ("NAME", lambda row: safe(row.name)),
        ("MODEL", _model),
        ("DEFINED", _where),
        ("SERVED BY", lambda row: safe(", ".join(row.nodes)) or "-"),
        ("FREE", lambda row: str(row.free)),
        ("SKILLS", lambda row: safe(", ".join(row.record.skills)) or "-" if row.record else "-"),
        ("CAPABILITIES", lambda row: safe(", ".join(row.record.capabilities)) or "-" if row.record else "-"),
        ("DESCRIPTION", described),
    ),
    name=lambda row: safe(row.name),
    form=agent_json,
    empty="no agents: create one with `picoclaw create agent NAME`, or set llm.model on a node",
)
