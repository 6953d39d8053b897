"""Whether a template can make a plan, as far as that shows without a request."""

import re
from collections.abc import Mapping

from pydantic import JsonValue

from ...config.names import STEP, canonical_capability
from ...config.spelling import did_you_mean
from ...errors import PlanError, UsageError
from ...swarm.demand import parse_demand
from ...swarm.records import Plan, Task
from ..synthesis.naming import check_join
from ..synthesis.table_options import TableOptions
from .inputs import LISTS, check_declared
from .substitute import check_reference, references
from .template_model import Template, TemplateTask
from .validate import MAX_TASKS, validate

MAX_STEM = 64 - len(f"-{MAX_TASKS}")
"""Longest name of a step that fans out, in characters: its tasks' names are longer."""
ITEM = "${item}"
_ONE_OF = re.compile(r"(?P<step>.+)-\$\{index\}")
_INPUT = re.compile(r"\$\{inputs\.(?P<name>[^{}]*)\}")
_ANY = re.compile(r"\$\{[^{}]*\}")


def check_template(template: Template) -> None:
    """Raise PlanError, which begins with the key where there is one, for a template that cannot work.

    Names a reference that stands for nothing, an input that is not there or of the wrong type, a
    step that is missing or there twice, a loop, a demand that nobody can meet, an unknown join.
    """
    for name, declared in template.inputs.items():
        check_declared(name, declared)
    for i, task in enumerate(template.tasks):
        _check_task(template, task, f"tasks.{i}")
    _check_order(template)
    _check_join(template)


def for_each_input(task: TemplateTask) -> str | None:
    """Return the name of the input that a task fans out over; None for a list of its own, or none."""
    if not isinstance(task.for_each, str):
        return None
    reference = _INPUT.fullmatch(task.for_each)
    return reference["name"] if reference is not None else task.for_each


def step_of(entry: str) -> str | None:
    """Return the step of which `<step>-${index}` in `after` means one task; None for a plain name."""
    found = _ONE_OF.fullmatch(entry)
    return found["step"] if found is not None else None


def _check_task(template: Template, task: TemplateTask, key: str) -> None:
    fans = task.for_each is not None
    if not STEP.fullmatch(task.step):
        raise PlanError(
            f"key {key}.step: {task.step[:100]!r} is not a valid name: use 1 to 64 of a-z, 0-9, '-' and '_', "
            "starting with a letter or digit"
        )
    if fans and len(task.step) > MAX_STEM:
        raise PlanError(f"key {key}.step: a step that fans out has a name of {MAX_STEM} characters at most")
    _check_fan(template, task, key)
    if task.when is not None and task.when not in template.inputs:
        _refuse_input(template, task.when, f"{key}.when")
    spoken: Mapping[str, JsonValue] = {
        "title": task.title,
        "demand": task.demand,
        "input": task.input,
        "repository": task.repository,
        "after": list(task.after),
    }
    for name, value in spoken.items():
        for where, reference in references(value, f"{key}.{name}"):
            check_reference(where, reference, list(template.inputs), fans=fans)
    _check_repository(template, task, key)
    _check_demand(task, key)


def _check_fan(template: Template, task: TemplateTask, key: str) -> None:
    name = for_each_input(task)
    if name is not None:
        if name not in template.inputs:
            _refuse_input(template, name, f"{key}.for_each")
        kind = template.inputs[name].type
        if kind not in LISTS:
            raise PlanError(
                f"key {key}.for_each: input {name!r} is of type {kind}: only {', '.join(sorted(LISTS))} fan out"
            )
    elif task.for_each == ():
        raise PlanError(f"key {key}.for_each: the list is empty: name an input or give at least one item")
    for group in ("shards", "batch"):
        value = getattr(task, group)
        if value is None:
            continue
        if task.for_each is None:
            raise PlanError(f"key {key}.{group}: it needs for_each in the same task")
        if isinstance(value, str):
            _check_number(template, value, f"{key}.{group}")
    if task.shards is not None and task.batch is not None:
        raise PlanError(f"key {key}.batch: shards and batch do not go together: keep one of the two")


def _check_number(template: Template, text: str, key: str) -> None:
    reference = _INPUT.fullmatch(text)
    if reference is None:
        raise PlanError(f"key {key}: {text[:40]!r} is no number: write one, or ${{inputs.NAME}}")
    name = reference["name"]
    if name not in template.inputs:
        _refuse_input(template, name, key)
    if template.inputs[name].type != "number":
        raise PlanError(
            f"key {key}: input {name!r} is of type {template.inputs[name].type}, and is to be a number"
        )


def _check_repository(template: Template, task: TemplateTask, key: str) -> None:
    if not isinstance(task.repository, str):
        return
    name = for_each_input(task)
    of_repositories = name is not None and template.inputs[name].type == "repositories"
    if task.repository != ITEM or not of_repositories or task.shards is not None or task.batch is not None:
        raise PlanError(
            f"key {key}.repository: write true, false, or {ITEM} in a task with for_each over an input of type "
            "repositories, without shards and batch"
        )


def _check_demand(task: TemplateTask, key: str) -> None:
    if task.capability is not None:
        try:
            canonical_capability(task.capability)
        except UsageError as error:
            raise PlanError(f"key {key}.capability: {error}") from None
    if _ANY.search(task.demand):
        return
    if task.demand.lstrip().startswith("@"):
        raise PlanError(
            f"key {key}.demand: {task.demand!r} says where, not what: put the capability before it, as in "
            f"NAME{task.demand.strip()}"
        )
    try:
        demand = parse_demand(task.demand)
    except UsageError as error:
        raise PlanError(f"key {key}.demand: {error}") from None
    if task.capability is not None and demand.capabilities:
        raise PlanError(
            f"key {key}.capability: the demand {task.demand!r} says already what is to be done: leave one of "
            "the two out"
        )


def _check_order(template: Template) -> None:
    steps = {task.step: task for task in template.tasks}
    fanned = {task.step for task in template.tasks if task.for_each is not None}
    for i, task in enumerate(template.tasks):
        stem, dash, number = task.step.rpartition("-")
        if dash and number.isdigit() and stem in fanned:
            raise PlanError(
                f"key tasks.{i}.step: {task.step!r} is what a task of {stem!r} is called: rename one of them"
            )
        for n, entry in enumerate(task.after):
            one = step_of(entry)
            if one is not None and one not in fanned:
                missing = "does not fan out" if one in steps else "is not in the template"
                raise PlanError(
                    f"key tasks.{i}.after.{n}: step {one[:100]!r} {missing}{did_you_mean(one, fanned)}"
                )
            if one is None and entry not in steps:
                raise PlanError(
                    f"key tasks.{i}.after.{n}: step {entry[:100]!r} is not in the template{did_you_mean(entry, steps)}"
                )
    # As a plan of one task per step, it has the loops and doubled steps that any plan of it would have.
    validate(
        Plan(
            tasks=tuple(
                Task(step=task.step, demand="general", after=tuple(step_of(e) or e for e in task.after))
                for task in template.tasks
            )
        )
    )


def _check_join(template: Template) -> None:
    steps = {task.step: task for task in template.tasks}
    if isinstance(template.join, TableOptions):
        check_join("table", template.join.model_dump(mode="json", by_alias=True), "join")
        for i, step in enumerate(template.join.steps):
            if step not in steps:
                raise PlanError(
                    f"key join.steps.{i}: step {step[:100]!r} is not there{did_you_mean(step, steps)}"
                )
        return
    check_join(template.join, None, "join")
    name = template.join.removeprefix("step:")
    if name == template.join:
        return
    if name not in steps:
        raise PlanError(f"key join: step {name[:100]!r} is not in the template{did_you_mean(name, steps)}")
    if steps[name].for_each is not None:
        raise PlanError(f"key join: step {name!r} fans out: name a step that is one task, or join by table")


def _refuse_input(template: Template, name: str, key: str) -> None:
    known = ", ".join(template.inputs) or "none: declare it under inputs"
    raise PlanError(
        f"key {key}: there is no input {name[:100]!r}{did_you_mean(name, template.inputs)} (inputs: {known})"
    )
