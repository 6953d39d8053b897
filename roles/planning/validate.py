"""Whether a plan can be run: names, order, limits; nothing of a plan that fails here is released.

Linear in tasks and dependencies, and without recursion, because a plan may come from a model.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ...config.names import ALIASES, GENERAL, PARENTS, check_step
from ...config.spelling import did_you_mean
from ...errors import PlanError, UsageError
from ...swarm.demand import Demand, parse_demand
from ...swarm.records import Plan, Task
from ..synthesis.naming import NAMES, check_join, joined_step

MAX_TASKS = 50_000
MAX_DEPTH = 1_000
"""Longest chain of tasks of which each waits for the one before."""
MAX_AFTER = 256
"""Dependencies of one task: their results travel in its queue message together."""
MAX_TASK_BYTES = 8 * 1024 * 1024
"""Wire form of one task, in bytes."""
MAX_PLAN_BYTES = 64 * 1024 * 1024
"""Wire form of all tasks together, in bytes."""

VOCABULARY = frozenset(
    {*PARENTS, *PARENTS.values(), *ALIASES.values(), GENERAL, "research", "writing"}
)  # fmt: skip
"""Capabilities that have a meaning even while no live node offers them."""


def validate(
    plan: Plan,
    *,
    max_tasks: int = MAX_TASKS,
    known: frozenset[str] | None = None,
    joins: Collection[str] = NAMES,
) -> Plan:
    """Return the plan with its demands in canonical form and each dependency named once.

    `known`: the capabilities that live nodes advertise, given for a plan that a model made: one
    outside of them and of `VOCABULARY` is a slip of the model. Left out for templates and
    dispatches, whose unknown capabilities wait as unroutable.

    Raises PlanError, which names the step, for: no tasks or too many, a step that is malformed or
    there twice, an unknown or too many dependencies, a cycle (with its path), too deep a chain, a
    demand that cannot be met by anybody, an unknown capability or join, a body over the limits.
    """
    if not plan.tasks:
        raise PlanError("the plan has no tasks: it needs at least one")
    if len(plan.tasks) > max_tasks:
        raise PlanError(
            f"the plan has {len(plan.tasks)} tasks, {max_tasks} are allowed: split the request into several"
        )
    check_join(plan.join, plan.join_options, "join", joins)
    _check_steps(plan.tasks)
    step = joined_step(plan.join)
    if step is not None and step not in {task.step for task in plan.tasks}:
        raise PlanError(f"the plan's report is the result of step {step[:100]!r}, which is not in the plan")
    _check_after(plan.tasks)
    _check_order(plan.tasks)
    _check_sizes(plan.tasks)
    demands = _read_demands(plan.tasks)
    if known is not None:
        _check_known(plan.tasks, demands, known | VOCABULARY)
    return plan.model_copy(update={"tasks": tuple(_canonical(task, demands) for task in plan.tasks)})


def _check_steps(tasks: Sequence[Task]) -> None:
    for task in tasks:
        try:
            check_step(task.step)
        except UsageError as error:
            raise PlanError(f"the plan is refused: {error}") from None
    twice = [step for step, count in Counter(task.step for task in tasks).items() if count > 1]
    if twice:
        raise PlanError(f"step {min(twice)!r} stands in the plan more than once: give each task its own step")


def _check_after(tasks: Sequence[Task]) -> None:
    steps = {task.step for task in tasks}
    for task in tasks:
        if len(task.after) > MAX_AFTER:
            raise PlanError(
                f"step {task.step!r} waits for {len(task.after)} steps, {MAX_AFTER} are allowed: "
                "join them in groups first"
            )
        for step in task.after:
            if step not in steps:
                raise PlanError(
                    f"step {task.step!r} waits for {step[:100]!r}, which is not in the plan"
                    f"{did_you_mean(step, steps)}"
                )


def _check_order(tasks: Sequence[Task]) -> None:
    """Walk the tasks in the order in which they could run; what is never reached is in a cycle."""
    # By place in the plan: three flat lists are twice as fast as dictionaries by name.
    place = {task.step: i for i, task in enumerate(tasks)}
    # A dependency named twice is counted twice and met twice.
    open_count = [len(task.after) for task in tasks]
    depth = [1] * len(tasks)
    followers: dict[int, list[int]] = {}
    for i, task in enumerate(tasks):
        for step in task.after:
            followers.setdefault(place[step], []).append(i)
    ready = [i for i, count in enumerate(open_count) if count == 0]
    reached = 0
    while ready:
        i = ready.pop()
        reached += 1
        for follower in followers.get(i, ()):
            depth[follower] = max(depth[follower], depth[i] + 1)
            open_count[follower] -= 1
            if open_count[follower] == 0:
                ready.append(follower)
    if reached < len(tasks):
        path = _cycle({task.step: task.after for task, count in zip(tasks, open_count, strict=True) if count})
        shown = path if len(path) <= 12 else [*path[:6], f"… {len(path) - 11} more …", *path[-5:]]
        raise PlanError(
            f"the plan has a cycle, each step waits for the one before: {' → '.join(shown)}; "
            "remove one of these dependencies"
        )
    deepest = max(depth)
    if deepest > MAX_DEPTH:
        raise PlanError(
            f"the plan has a chain of {deepest} steps that wait for each other, {MAX_DEPTH} are allowed: "
            "put several of them in one task"
        )


def _cycle(stuck: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one cycle in running order, first step repeated at the end.

    Each stuck step waits for another stuck one, so going back along them must meet itself.
    """
    step = min(stuck)
    walked: dict[str, None] = {}
    while step not in walked:
        walked[step] = None
        step = min(earlier for earlier in stuck[step] if earlier in stuck)
    path = list(walked)
    ring = path[path.index(step) :][::-1]
    first = ring.index(min(ring))
    return [*ring[first:], *ring[:first], ring[first]]


def _check_sizes(tasks: Sequence[Task]) -> None:
    total = 0
    for task in tasks:
        size = len(task.to_bytes())
        total += size
        if size > MAX_TASK_BYTES:
            raise PlanError(
                f"step {task.step!r} has a body of {_mib(size)}, {_mib(MAX_TASK_BYTES)} are allowed: "
                "pass large data as a repository or an artifact"
            )
        check_plan_size(total)


def check_plan_size(size: int) -> None:
    """Raise PlanError when so many bytes of tasks are more than a plan may have."""
    if size > MAX_PLAN_BYTES:
        raise PlanError(
            f"the plan's tasks have over {_mib(MAX_PLAN_BYTES)} together, which is what is allowed: "
            "pass large data as a repository or an artifact, or split the request"
        )


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def _read_demands(tasks: Sequence[Task]) -> dict[str, Demand]:
    """Return each demand of the plan, parsed, by its text."""
    demands: dict[str, Demand] = {}
    for task in tasks:
        if task.demand in demands:
            continue
        try:
            demands[task.demand] = parse_demand(task.demand)
        except UsageError as error:
            raise PlanError(f"step {task.step!r}: {error}") from None
    return demands


def _check_known(tasks: Sequence[Task], demands: dict[str, Demand], known: frozenset[str]) -> None:
    for task in tasks:
        for name in demands[task.demand].capabilities:
            if name not in known:
                raise PlanError(
                    f"step {task.step!r} needs the unknown capability {name!r}{did_you_mean(name, known)}"
                )


def _canonical(task: Task, demands: dict[str, Demand]) -> Task:
    demand = str(demands[task.demand])
    after = tuple(dict.fromkeys(task.after))
    if demand == task.demand and after == task.after:
        return task
    return task.model_copy(update={"demand": demand, "after": after})
