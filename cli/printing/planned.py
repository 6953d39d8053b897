"""How a plan came about, in a few words for a terminal."""

from ...swarm.records import Plan
from .output import safe

_NOTE = 200


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
