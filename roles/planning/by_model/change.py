"""A running request's plan, changed by a model: when one is asked, and what its answer makes of the plan. Pure."""

import re
from collections.abc import Mapping, Sequence

from ....errors import PlanError
from ....swarm.demand import Offer
from ....swarm.fold import TaskHead
from ....swarm.records import Plan, Planning, Request, Result, Task
from .answer import Change
from .limits import LIMITS, PlanLimits
from .make import check, join_of, task_of

_NEEDS = re.compile(r"^[ \t>*_`-]*NEEDS:[*_`]*[ \t]*(\S.*)$", re.MULTILINE)
_NOTHING = frozenset(
    {
        "",
        "nothing",
        "none",
        "no",
        "n/a",
        "na",
        "nothing else",
        "nothing more",
        "nothing further",
        "what is missing",
    }
)
"""What is said where nothing is asked for: models fill in every form."""
MOST_CONCERN = 500
"""Characters of why a change may be due."""


def needs_of(result: Result | None) -> str:
    """Return what a task asks for beyond itself: a line `NEEDS: …` of its summary, or `needs` in its data."""
    if result is None:
        return ""
    told = result.data.get("needs") if isinstance(result.data, Mapping) else None
    asked = [told] if isinstance(told, str) else _NEEDS.findall(result.summary)
    for one in asked:
        words = " ".join(one.split()).strip("*_` ")
        if words.lower().strip(".!-–—() ") not in _NOTHING:
            return words[:MOST_CONCERN]
    return ""


def concerns(
    plan: Plan, heads: Mapping[str, TaskHead], results: Mapping[str, Result], limits: PlanLimits = LIMITS
) -> dict[str, str]:
    """Return why a model is to look at the plan again: step to what is the matter; empty: it need not.

    Only plans that a model made, and these some times at most. What failed because of others, or was
    cancelled, is no matter of its own.
    """
    planning = plan.planning
    if planning is None or planning.by != "model" or planning.revision > limits.looks:
        return {}
    found = {}
    for task in plan.tasks:
        head = heads[task.step]
        if task.step in planning.settled or not head.terminal or head.carried:
            continue
        if head.state in ("failed", "dead") and not head.reason.startswith("dependency:"):
            found[task.step] = f"{task.step} ended {head.state}: {head.reason}"[:MOST_CONCERN]
        elif head.state == "done" and (asked := needs_of(results.get(task.step))):
            found[task.step] = f"{task.step} is done and asks for more: {asked}"
    return found


def change_plan(
    change: Change,
    plan: Plan,
    heads: Mapping[str, TaskHead],
    request: Request,
    offers: Sequence[Offer],
    planning: Planning,
    limits: PlanLimits = LIMITS,
) -> Plan:
    """Return the changed plan; steps that are dropped stay in it, and `planning` names them.

    What waited for a task that is replaced waits for the new one. Raises PlanError, in words for the model.
    """
    if len(change.add) > limits.added:
        raise PlanError(
            f"{len(change.add)} tasks are to be added, {limits.added} are allowed: add the best of them"
        )
    old = {task.step: task for task in plan.tasks}
    if len(old) + len(change.add) > limits.tasks:
        raise PlanError(
            f"the request would have {len(old) + len(change.add)} tasks, {limits.tasks} are allowed: add fewer"
        )
    new = {added.step for added in change.add}
    instead: dict[str, str] = {}
    for added in change.add:
        if added.step in old:
            raise PlanError(f"step {added.step!r} is in the plan already: give a new task a new name")
        for step in added.after:
            head = heads.get(step)
            ended_badly = head is not None and head.terminal and head.state != "done"
            if step not in new and ended_badly and added.needs == "all":
                raise PlanError(
                    f"step {added.step!r} waits for {step!r}, which ended badly: leave it out of `after`"
                )
        if not added.replaces:
            continue
        replaced = heads.get(added.replaces)
        if replaced is None or not replaced.terminal or replaced.state == "done":
            raise PlanError(f"step {added.step!r} replaces {added.replaces[:100]!r}, which did not end badly")
        if added.replaces in instead:
            raise PlanError(f"step {added.replaces!r} is replaced twice: by one task only")
        instead[added.replaces] = added.step
    for step in change.drop:
        if step not in old:
            raise PlanError(f"step {step[:100]!r} cannot be dropped: it is not in the plan")

    def moved(task: Task) -> Task:
        if heads[task.step].state != "planned" or not set(task.after) & instead.keys():
            return task
        return task.model_copy(update={"after": tuple(instead.get(step, step) for step in task.after)})

    # The model thought for a while: what it would drop and has begun since goes on.
    idle = (step for step in change.drop if heads[step].state in ("planned", "queued"))
    planning = planning.model_copy(update={"dropped": tuple(dict.fromkeys((*planning.dropped, *idle)))})
    tasks = (*map(moved, plan.tasks), *(task_of(added, request, limits) for added in change.add))
    changed = plan.model_copy(update={"tasks": tasks, "join": join_of(tasks), "planning": planning})
    return check(changed, offers, limits, new)
