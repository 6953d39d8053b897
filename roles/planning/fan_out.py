"""Fan-out: the tasks that a template makes of one request, one or many for each of its steps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from ...capabilities.change import INPUT as CHANGE
from ...errors import PlanError
from ...swarm.records import RepositoryRef, Request, Task
from .check import for_each_input
from .inputs import read_repository, take_inputs
from .limits import limits_of
from .substitute import substitute, substitute_text
from .template_model import Template, TemplateTask
from .validate import MAX_AFTER, MAX_TASKS, check_plan_size

TITLE_LENGTH = 100
"""Longest title of a task, in characters."""


def title_of(text: str) -> str:
    """Return the first line that says something, cut to `TITLE_LENGTH` characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = "".join(c if c.isprintable() else " " for c in line)
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def make_tasks(template: Template, request: Request) -> tuple[Task, ...]:
    """Return all tasks, in the order of the template; the same request always gets the same ones.

    Raises PlanError for inputs that are missing or of another type, for more than `MAX_TASKS` tasks,
    `MAX_AFTER` dependencies or `MAX_PLAN_BYTES`, and when nothing is left to do.
    """
    # What changed is the sender's word on the repository, whatever inputs a template declares.
    told = {name: value for name, value in request.input.items() if name != CHANGE or name in template.inputs}
    inputs = take_inputs(template.inputs, told) if template.inputs else {}
    values: dict[str, JsonValue] = {"text": request.text, "inputs": inputs}
    groups = {
        task.step: _items(task, values) for task in template.tasks if task.when is None or inputs[task.when]
    }
    _check_width(groups)
    names = {
        step: (step,) if items is None else tuple(f"{step}-{i}" for i in range(1, len(items) + 1))
        for step, items in groups.items()
    }
    steps = _Steps(
        names, frozenset(name for step in names.values() for name in step),
        frozenset(task.step for task in template.tasks if task.step not in groups),
    )  # fmt: skip
    tasks: list[Task] = []
    size = 0
    for number, task in enumerate(template.tasks):
        if task.step not in groups:
            continue
        make = _Maker(template, task, request, f"tasks.{number}", steps)
        items = groups[task.step]
        each: Iterable[tuple[str, Mapping[str, JsonValue]]] = (
            [(task.step, values)]
            if items is None
            else (
                (f"{task.step}-{i}", {**values, "item": item, "index": i, "count": len(items)})
                for i, item in enumerate(items, start=1)
            )
        )
        for name, of_item in each:
            made = make.task(name, of_item)
            # Before all of them are made: a few texts in each of many tasks can be more than memory holds.
            size += _characters(made.input)
            check_plan_size(size)
            tasks.append(made)
    if not tasks:
        raise PlanError("there is nothing to do: the lists that it goes over are empty")
    return tuple(tasks)


def _characters(value: JsonValue) -> int:
    """Return the text in a value, in characters: never more than its wire form has bytes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + _characters(entry) for name, entry in value.items())
    return sum(map(_characters, value)) if isinstance(value, list) else 1


def _items(task: TemplateTask, values: Mapping[str, JsonValue]) -> Sequence[JsonValue] | None:
    """Return what a step fans out over, grouped; None for a step that does not."""
    if task.for_each is None:
        return None
    inputs = values["inputs"]
    assert isinstance(inputs, dict)
    name = for_each_input(task)
    given = list(task.for_each) if name is None else inputs[name]
    items = given if isinstance(given, list) else []
    shards, batch = (_number(size, task.step, values) for size in (task.shards, task.batch))
    if shards is not None:
        # Every n-th, because what is slow often lies side by side.
        return [items[i::shards] for i in range(min(shards, len(items)))]
    if batch is not None:
        return [items[i : i + batch] for i in range(0, len(items), batch)]
    return items


def _number(size: int | str | None, step: str, values: Mapping[str, JsonValue]) -> int | None:
    if not isinstance(size, str):
        return size
    found = substitute(size, values, step)
    if found is None:
        return None
    if not isinstance(found, int | float) or found != int(found) or found < 1:
        raise PlanError(f"step {step!r}: {size} is {found!r}, and is to be a whole number above 0")
    return int(found)


def _check_width(groups: Mapping[str, Sequence[JsonValue] | None]) -> None:
    total = sum(1 if items is None else len(items) for items in groups.values())
    if total > MAX_TASKS:
        widest = max(groups, key=lambda step: len(groups[step] or ()))
        raise PlanError(
            f"the workflow has {total:,} tasks, {MAX_TASKS:,} are allowed ({len(groups[widest] or ()):,} of step "
            f"{widest!r}): group its items with shards or batch"
        )


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of one plan, worked out once for all of its tasks."""

    names: Mapping[str, tuple[str, ...]]
    """Step to the names of its tasks."""
    every: frozenset[str]
    """The names of all tasks."""
    left_out: frozenset[str]
    """Steps whose `when` has no value."""


class _Maker:
    """Makes the tasks of one step."""

    def __init__(
        self, template: Template, task: TemplateTask, request: Request, key: str, steps: _Steps
    ) -> None:
        self._template = template
        self._task = task
        self._request = request
        self._key = key
        self._steps = steps
        # What does not differ from task to task, made once.
        self._limits = _limits(task, template, request)

    def task(self, name: str, values: Mapping[str, JsonValue]) -> Task:
        """Return the task of this name."""
        task, key = self._task, self._key
        # With declared inputs a task gets what it names: lists of all items would travel with each.
        repository = self._repository(values)
        given = self._request.input
        if self._template.inputs:
            ours = repository is not None and repository == self._request.repository
            given = {CHANGE: given[CHANGE]} if ours and CHANGE in given else {}
        own = substitute(task.input, values, f"{key}.input")
        assert isinstance(own, dict)
        return Task(
            step=name,
            title=self._title(name, values),
            demand=substitute_text(task.demand, values, f"{key}.demand"),
            capability=task.capability,
            input={"text": self._request.text, **given, **own},
            repository=repository,
            after=self._after(name, values),
            **self._limits,
        )

    def _title(self, name: str, values: Mapping[str, JsonValue]) -> str:
        if self._task.title:
            return title_of(substitute_text(self._task.title, values, f"{self._key}.title")) or name
        item = values.get("item")
        if isinstance(item, dict):
            item = item.get("label")
        return title_of(f"{self._task.step}: {item}") if isinstance(item, str | int | float) else name

    def _repository(self, values: Mapping[str, JsonValue]) -> RepositoryRef | None:
        wanted = self._task.repository
        if isinstance(wanted, str):
            return read_repository(substitute(wanted, values, self._key), f"key {self._key}.repository")
        with_it = self._template.defaults.repository if wanted is None else wanted
        return self._request.repository if with_it else None

    def _after(self, name: str, values: Mapping[str, JsonValue]) -> tuple[str, ...]:
        found: list[str] = []
        for entry in self._task.after:
            tasks = self._steps.names.get(entry)
            if tasks is None:
                one = substitute_text(entry, values, f"{self._key}.after")
                if one not in self._steps.every:
                    if entry.removesuffix("-${index}") in self._steps.left_out:
                        continue
                    raise PlanError(
                        f"step {name!r} waits for {one!r}, which is not there: are the lists as long?"
                    )
                tasks = (one,)
            found += tasks
            if len(found) > MAX_AFTER:
                raise PlanError(
                    f"step {name!r} waits for {len(found):,} tasks ({entry!r}), {MAX_AFTER} are allowed: group "
                    "the items with shards or batch, or leave it to the join"
                )
        return tuple(found)


def _limits(task: TemplateTask, template: Template, request: Request) -> dict[str, Any]:
    """Limits that the request sets go before the template's."""
    return {"needs": task.needs, "priority": task.priority, **limits_of(request, task, template.defaults)}
