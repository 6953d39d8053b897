"""From a request to a plan: one task for a dispatch, a template's tasks, or words that say what would work."""

from collections.abc import Sequence

from ...errors import PlanError
from ...swarm.records import Plan, Request, Task
from .template import Template, TemplateTask, asks_for_template, find_template

TITLE_LENGTH = 100
"""Longest title made from a request's text, in characters."""


def title_of(text: str) -> str:
    """Return the first line that says something, cut to `TITLE_LENGTH` characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = "".join(c if c.isprintable() else " " for c in line)
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def make_plan(request: Request, templates: Sequence[Template]) -> Plan:
    """Plan a request without a model; the same request always gets the same plan.

    The result still has to pass `validate`, which reads its demands. Raises PlanError when neither a
    demand nor a template tells what to do, or both do.
    """
    if request.demand is not None and request.template is not None:
        raise PlanError(
            f"the request asks both for capability {request.demand!r} and for template "
            f"{request.template!r}: give one of them"
        )
    if request.demand is not None:
        return _dispatch(request, request.demand)
    template = find_template(request, templates)
    if template is None:
        raise PlanError(_nothing_fits(request, templates))
    return Plan(
        tasks=tuple(_fill(task, template, request) for task in template.tasks),
        join=template.join,
        template=template.name,
    )


def _dispatch(request: Request, demand: str) -> Plan:
    task = Task(
        step="task",
        title=title_of(request.text),
        demand=demand,
        capability=request.capability,
        input={"text": request.text, **request.input},
        repository=request.repository,
        # No attempt may outlive the request.
        timeout_s=request.deadline_s,
        max_attempts=request.max_attempts or 3,
        unroutable=request.unroutable or "wait",
    )
    return Plan(tasks=(task,))


def _fill(task: TemplateTask, template: Template, request: Request) -> Task:
    """Make the task of a template for this request.

    Limits that the request sets go before the template's; of the input, the task's own goes first.
    """
    defaults = template.defaults
    timeout = task.timeout_s or defaults.timeout_s
    if request.deadline_s is not None:
        timeout = min(timeout, request.deadline_s) if timeout is not None else request.deadline_s
    with_repository = defaults.repository if task.repository is None else task.repository
    return Task(
        step=task.step,
        title=task.title or task.step,
        demand=task.demand,
        input={"text": request.text, **request.input, **task.input},
        repository=request.repository if with_repository else None,
        after=task.after,
        needs=task.needs,
        priority=task.priority,
        timeout_s=timeout,
        max_attempts=request.max_attempts or task.max_attempts or defaults.max_attempts,
        unroutable=request.unroutable or task.unroutable or defaults.unroutable,
        grace_s=defaults.grace_s if task.grace_s is None else task.grace_s,
    )


def _nothing_fits(request: Request, templates: Sequence[Template]) -> str:
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
    return (
        f"{what}: no template matches it (there is: {names}) and no model is configured to plan it; "
        "send it with `picoclaw dispatch --capability NAME`, or name a template with --template NAME"
    )
