"""Which tasks of a request run again when it is retried. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..errors import PlanError
from .fold import TaskHead
from .records import Plan


def steps_to_run(plan: Plan, heads: Mapping[str, TaskHead], steps: Sequence[str] = ()) -> frozenset[str]:
    """Return the steps that run again: each that did not end done, or `steps` and what waits for them.

    What waits for one of `steps`, ended otherwise than done, and can run now, runs again with it; the
    rest stays as it ended. Raises PlanError, in words, for nothing to do, for a step that is done or
    not there, and for one that waits for another that stays undone.
    """
    tasks = {task.step: task for task in plan.tasks}
    undone = {step for step in tasks if _state(heads, step) != "done"}
    if not undone:
        raise PlanError("each of its tasks is done: there is nothing to run again")
    if not steps:
        return frozenset(undone)
    for step in steps:
        if step not in tasks:
            raise PlanError(f"it has no task {step[:80]!r}")
        if step not in undone:
            raise PlanError(f"task {step} is done: there is nothing to run again")
    chosen = set(steps)

    def kept_from_running(step: str) -> str | None:
        """Return what it waits for that is neither done nor runs again; None: it can run."""
        if tasks[step].needs == "settled":
            return None
        return next((name for name in tasks[step].after if name in undone and name not in chosen), None)

    for step in steps:
        if (first := kept_from_running(step)) is not None:
            raise PlanError(
                f"task {step} waits for {first}, which ended {_state(heads, first)}: run {first} again, and it "
                "follows"
            )
    dependents: dict[str, list[str]] = defaultdict(list)
    for task in plan.tasks:
        for upstream in task.after:
            dependents[upstream].append(task.step)
    todo = list(steps)
    while todo:
        for step in dependents[todo.pop()]:
            if step in undone and step not in chosen and kept_from_running(step) is None:
                chosen.add(step)
                todo.append(step)
    return frozenset(chosen)


def _state(heads: Mapping[str, TaskHead], step: str) -> str:
    head = heads.get(step)
    return head.state if head is not None else "planned"
