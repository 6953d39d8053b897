"""Joining the results of a request's tasks into one report, by the join that its plan names."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ...errors import PlanError
from ...swarm.records import Plan, Request
from .code_review import join_code_review, only_reviews
from .outcome import Outcome
from .plain import join_plain
from .report import Report

Join = Callable[[Plan, Request, Sequence[Outcome]], Report]

JOINS: Mapping[str, Join] = MappingProxyType({"plain": join_plain, "code-review": join_code_review})
"""What a plan may name as its `join`."""


def join(plan: Plan, request: Request, outcomes: Sequence[Outcome]) -> Report:
    """Return the report of a request; the same outcomes always give the same report.

    Outcomes are taken in the order of the plan; a task of the plan without one is reported as
    missing. Results that lay in the object store must have been fetched. Raises PlanError for a
    join that this version does not know.
    """
    chosen = JOINS.get(plan.join)
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
    if chosen is join_plain and only_reviews(ordered):
        # One review asked for by its capability reads as a whole code review does.
        chosen = join_code_review
    return chosen(plan, request, ordered)
