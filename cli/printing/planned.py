"""How a plan came about, in a few words for a terminal."""

from typing import Any

from ...swarm.records import Plan
from .output import safe

_NOTE = 200


def origin_json(plan: Plan | None) -> dict[str, Any] | None:
    """Return the stable JSON form of how a plan came about; None: there is no plan yet."""
    if plan is None:
        return None
    planning = plan.planning
    by = planning.by if planning is not None else "template" if plan.template else "request"
    more = planning.model_dump(mode="json", exclude={"v", "by", "settled"}) if planning is not None else {}
    return {"by": by, "template": plan.template, **more}


def origin(plan: Plan) -> str:
    """Return `template code-review`, `by anthropic/claude-opus-5`, `one task: …`."""
    planning = plan.planning
    if planning is None:
        alone = "one task" if len(plan.tasks) == 1 else "one for each node"
        return f"template {safe(plan.template)}" if plan.template else alone
    note = f": {safe(planning.note[:_NOTE])}" if planning.note else ""
    if planning.by == "template":
        return f"template {safe(plan.template or '')}{note}"
    if planning.by == "direct":
        return f"one task{note}"
    again = f", revision {planning.revision}" if planning.revision > 1 else ""
    return f"by {safe(planning.model or 'a model')}{again}{note}"
