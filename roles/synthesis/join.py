"""Joining the results of a request's tasks into one report, by the join that its plan names."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ...errors import PlanError
from ...swarm.records import Plan, Request
from .broadcast import join_broadcast
from .by_model.name import BY_MODEL
from .by_model.report import join_unwritten, join_written
from .by_model.written import Written
from .code_review import join_code_review, only_reviews
from .naming import joined_step
from .of_step import join_of_step
from .origin import with_origin
from .outcome import Outcome
from .plain import join_plain
from .report import Report
from .table import join_table

Join = Callable[[Plan, Request, Sequence[Outcome]], Report]

JOINS: Mapping[str, Join] = MappingProxyType(
    {"plain": join_plain, "code-review": join_code_review, "table": join_table, BY_MODEL: join_unwritten}
)
"""By the names of `naming.NAMES`."""


def join(
    plan: Plan, request: Request, outcomes: Sequence[Outcome], written: Written | str | None = None
) -> Report:
    """Return the report of a request; the same outcomes always give the same report.

    `written`: of a join by a model its text, or why there is none.

    Outcomes are taken in the order of the plan; a task of the plan without one is reported as
    missing. Results that lay in the object store must have been fetched. Raises PlanError for a
    join that this version does not know.
    """
    step = joined_step(plan.join)
    chosen = JOINS.get(plan.join) if step is None else join_of_step(step)
    if chosen is None:
        raise PlanError(
            f"the plan joins its results by {plan.join[:100]!r}, which this version does not know: "
            "upgrade the coordinator"
        )
    by_step = {outcome.step: outcome for outcome in outcomes}
    ordered = [
        by_step.get(task.step)
        or Outcome(step=task.step, title=task.title, demand=task.demand, state="planned", reason="never run")
        for task in plan.tasks
    ]
    if request.broadcast is not None:
        chosen = join_broadcast
    elif chosen is join_plain and only_reviews(ordered):
        # One review asked for by its capability reads as a whole code review does.
        chosen = join_code_review
    if chosen is join_unwritten:
        report = (
            join_written(plan, request, ordered, written)
            if isinstance(written, Written)
            else join_unwritten(plan, request, ordered, written or "")
        )
    else:
        report = chosen(plan, request, ordered)
    report = with_origin(plan, report)
    if plan.partial == "fail" and report.partial and not report.failed:
        report = report.model_copy(update={"failed": report.summary})
    return report
