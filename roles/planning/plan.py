"""From a request to a plan: one task for a dispatch, a template's tasks, or words that say what would work."""

from collections.abc import Sequence

from ...errors import PlanError
from ...swarm.demand import Offer
from ...swarm.records import Plan, Request, Task
from ..synthesis.table_options import TableOptions
from .broadcast import plan_broadcast
from .fan_out import TITLE_LENGTH, make_tasks, title_of
from .limits import ATTEMPTS, times_of
from .template import Template, asks_for_template, find_template

__all__ = ["TITLE_LENGTH", "make_plan", "title_of"]


def make_plan(
    request: Request, templates: Sequence[Template], offers: Sequence[Offer] = (), no_model: str = ""
) -> Plan:
    """Plan a request without a model; the same request always gets the same plan.

    `offers`: those of the living nodes, for a broadcast, which asks each that can do it. `no_model`: why
    the model that is set for this coordinator cannot be asked; empty where none is set.

    The result still has to pass `validate`, which reads its demands. Raises PlanError when neither a
    demand nor a template tells what to do, or both do.
    """
    if request.demand is not None and (request.template is not None or request.workflow is not None):
        raise PlanError(
            f"the request asks both for capability {request.demand!r} and for template "
            f"{request.template or 'that it brings'!r}: give one of them"
        )
    if request.demand is None and request.broadcast is not None:
        raise PlanError("a broadcast needs one capability, which each node is to do: add --capability NAME")
    if request.demand is not None:
        task = _dispatch(request, request.demand)
        if request.broadcast is not None:
            return plan_broadcast(request, task, offers)
        return Plan(tasks=(task,))
    if request.plan == "model":
        raise PlanError(
            "the request is to be planned by a model, and this coordinator has none: "
            f"{no_model or 'set llm.model on it'}, or leave out --plan model"
        )
    template = find_template(request, templates)
    if template is None:
        raise PlanError(_nothing_fits(request, templates, no_model))
    table = template.join if isinstance(template.join, TableOptions) else None
    try:
        tasks = make_tasks(template, request)
    except PlanError as error:
        raise PlanError(f"template {template.name!r}: {error}") from None
    return Plan(
        tasks=tasks,
        join="table" if table is not None else str(template.join),
        join_options=table.model_dump(mode="json", by_alias=True) if table is not None else None,
        partial="fail" if template.partial == "fail" else None,
        template=template.name,
    )


def _dispatch(request: Request, demand: str) -> Task:
    return Task(
        step="task",
        title=title_of(request.text),
        demand=demand,
        capability=request.capability,
        input={"text": request.text, **request.input},
        repository=request.repository,
        max_attempts=request.max_attempts or ATTEMPTS,
        unroutable=request.unroutable or "wait",
        **times_of(request),
    )


def _nothing_fits(request: Request, templates: Sequence[Template], no_model: str) -> str:
    """Say why there is no plan, and what would make one."""
    title = title_of(request.text)
    for template in templates:
        lacks_repository = template.match.repository and request.repository is None
        if lacks_repository and asks_for_template(request.text, template):
            return (
                f"no plan for {title!r}: template {template.name!r} would fit but needs a repository: "
                "add --repo DIR or --repo URL"
            )
    names = ", ".join(template.name for template in templates) or "none"
    what = f"no plan for {title!r}" if title else "no plan for an empty request"
    lacks = f"no model can plan it ({no_model})" if no_model else "no model is configured to plan it"
    return (
        f"{what}: no template matches it (there is: {names}) and {lacks}; "
        "send it with `picoclaw dispatch --capability NAME`, or name a template with --template NAME"
    )
