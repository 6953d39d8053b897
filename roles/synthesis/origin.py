"""Origin: what a report says of how its plan came about. Pure."""

from ...swarm.records import Plan, Planning
from .markdown import count, inline
from .report import Report


def with_origin(plan: Plan, report: Report) -> Report:
    """Return the report with a line on its plan, where a model had to do with that."""
    planning = plan.planning
    if planning is None:
        return report
    told = planning.model_dump(
        mode="json", include={"by", "model", "note", "revision", "turns", "tokens", "usd"}
    )
    data = {**report.data, "planning": told} if isinstance(report.data, dict) else report.data
    return report.model_copy(
        update={"markdown": f"{report.markdown.rstrip()}\n\n{in_words(plan, planning)}\n", "data": data}
    )


def in_words(plan: Plan, planning: Planning) -> str:
    """Say who planned, in one line of Markdown."""
    model = inline(planning.model, 100) or "a model"
    note = inline(planning.note, 600).rstrip(". ")
    why = f" ({note})" if note else ""
    if planning.by == "template":
        return f"Planned by template {inline(plan.template or '', 64)}{why}."
    if planning.by == "direct":
        return f"Not planned, done as one task{why}."
    more = planning.revision - 1
    changed = f", looked at again {count(more, 'time')}" if more else ""
    return f"Planned by {model} as {count(len(plan.tasks), 'task')}{changed}{why}."
