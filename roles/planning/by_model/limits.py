"""What a model may plan: far less than a template, which somebody wrote on purpose. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....errors import PlanError
from ....swarm.records import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """Limits of a plan by a model, those of its later changes included."""

    tasks: int = 40
    depth: int = 8
    """Longest chain of tasks of which each waits for the one before."""
    width: int = 20
    """Tasks that may run at the same time, as far as the plan goes."""
    added: int = 10
    """Tasks that one look at a running request may add."""
    looks: int = 3
    """How often a running request is looked at again."""
    text: int = 20_000
    """Characters of what one task is told."""


LIMITS = PlanLimits()


def check_shape(tasks: Sequence[Task], limits: PlanLimits) -> None:
    """Raise PlanError for a plan without cycles that is too deep or too wide."""
    levels = level_of(tasks)
    deepest = max(levels.values(), default=0)
    if deepest > limits.depth:
        raise PlanError(
            f"the plan has a chain of {deepest} steps that wait for each other, {limits.depth} are allowed: "
            "put several of them in one task"
        )
    widest = max((list(levels.values()).count(level) for level in set(levels.values())), default=0)
    if widest > limits.width:
        raise PlanError(
            f"the plan has {widest} tasks side by side, {limits.width} are allowed: give each of them more to do"
        )


def level_of(tasks: Sequence[Task]) -> dict[str, int]:
    """Return for each task how long the chain is that ends with it; the plan must have no cycle."""
    by_step = {task.step: task for task in tasks}
    levels: dict[str, int] = {}
    for task in tasks:
        stack = [task.step]
        while stack:
            step = stack[-1]
            above = [one for one in by_step[step].after if one in by_step]
            if open_ones := [one for one in above if one not in levels]:
                stack += open_ones
                continue
            levels[step] = 1 + max((levels[one] for one in above), default=0)
            stack.pop()
    return levels
