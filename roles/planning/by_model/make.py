"""From a model's answer to a plan that may run; and the plan where no answer will do. Pure."""

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from ....errors import PlanError
from ....swarm.demand import Offer, parse_demand, serves
from ....swarm.records import Plan, Planning, Request, Task
from ....swarm.unroutable import why_unroutable
from ...synthesis.by_model.name import BY_MODEL
from ..fan_out import TITLE_LENGTH, title_of
from ..limits import ATTEMPTS, times_of
from ..validate import validate
from .answer import ModelPlan, PlannedTask
from .limits import LIMITS, PlanLimits, check_shape
from .menu import Menu

MAY_ASK = (
    "(If this cannot be done well without work that nobody was asked for, end your answer with a line "
    "`NEEDS: what is missing`.)"
)
"""Told to who does a task, because a later look at the request reads such a line."""


def make_plan(
    answer: ModelPlan,
    request: Request,
    offers: Sequence[Offer],
    planning: Planning,
    limits: PlanLimits = LIMITS,
) -> Plan:
    """Return the plan that a model made, validated like any other and against what live nodes offer.

    Raises PlanError, in words for the model.
    """
    if len(answer.tasks) > limits.tasks:  # before anything is made of them
        raise PlanError(
            f"the plan has {len(answer.tasks)} tasks, {limits.tasks} are allowed: put more work in each"
        )
    tasks = tuple(task_of(task, request, limits) for task in answer.tasks)
    plan = Plan(tasks=tasks, join=join_of(tasks), planning=planning)
    return check(plan, offers, limits)


def join_of(tasks: Sequence[Task]) -> str:
    """Return how the results of a plan by a model are joined: one task's answer is the report itself."""
    return BY_MODEL if len(tasks) > 1 else "plain"


def check(
    plan: Plan, offers: Sequence[Offer], limits: PlanLimits, steps: Iterable[str] | None = None
) -> Plan:
    """Return a plan as it may run; `steps`: only of these the demands must be met by a live node now.

    Raises PlanError, in words for the model.
    """
    plan = validate(plan, max_tasks=limits.tasks)
    check_shape(plan.tasks, limits)
    new = None if steps is None else set(steps)
    for task in plan.tasks:
        demand = parse_demand(task.demand)
        if (new is None or task.step in new) and not any(serves(offer, demand) for offer in offers):
            raise PlanError(f"step {task.step!r}: {why_unroutable(demand, offers)}")
    return plan


def task_of(planned: PlannedTask, request: Request, limits: PlanLimits = LIMITS) -> Task:
    """Return a task as it is run. Raises PlanError."""
    if not planned.text.strip():
        raise PlanError(f"step {planned.step[:100]!r} has no text: say what is to be done")
    if len(planned.text) > limits.text:
        raise PlanError(
            f"step {planned.step[:100]!r} has a text of {len(planned.text):,} characters, {limits.text:,} are "
            "allowed: refer to the request, which every task sees"
        )
    form = {"schema": _usable(planned.form, planned.step)} if planned.form else {}
    return Task(
        step=planned.step,
        title=(planned.title.strip() or title_of(planned.text))[:TITLE_LENGTH],
        demand=planned.demand,
        input={**request.input, "text": planned.text if form else f"{planned.text}\n\n{MAY_ASK}", **form},
        repository=request.repository,
        after=planned.after,
        needs=planned.needs,
        max_attempts=request.max_attempts or ATTEMPTS,
        unroutable=request.unroutable or "wait",
        **times_of(request),
    )


def _usable(form: dict[str, JsonValue], step: str) -> dict[str, JsonValue]:
    # Loaded for plans with a schema alone: it takes a tenth of a second.
    from ....capabilities.agent.loop.answers import mismatch

    if (problem := mismatch(None, form)).startswith("the schema itself"):
        raise PlanError(f"step {step[:100]!r}: {problem}: mend it, or leave it empty for free text")
    return form


def direct_plan(request: Request, menu: Menu, planning: Planning) -> Plan:
    """Return the plan of one task, for whoever takes tasks in words. Raises PlanError where nobody does."""
    demand = menu.free_text
    if demand is None:
        offered = ", ".join(sorted(menu.demands)[:20]) or "nothing"
        raise PlanError(
            f"{planning.note}; nor does a live node take the request as one task in words (on offer: {offered}): "
            "send it with `picoclaw dispatch --capability NAME`, name a template with --template NAME, or start "
            "a node with a model"
        )
    task = Task(
        step="task",
        title=title_of(request.text),
        demand=demand,
        input={**request.input, "text": request.text},
        repository=request.repository,
        max_attempts=request.max_attempts or ATTEMPTS,
        unroutable=request.unroutable or "wait",
        **times_of(request),
    )
    return validate(Plan(tasks=(task,), planning=planning))
