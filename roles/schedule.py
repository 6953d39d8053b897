"""Schedule: what the tasks of one plan wait for. Deterministic, no I/O.

It takes the heads of the tasks as the log shows them, in any order and as often as one likes, and
says which tasks may be released, which can no longer run, and when all have ended. Each change
costs what it touches, so that a plan of 50,000 tasks stays cheap.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ..swarm.fold import TaskHead
from ..swarm.records import Plan, Result, Task


@dataclass(frozen=True, slots=True)
class Doomed:
    """A planned task that can no longer run, because of what it depends on."""

    step: str
    state: Literal["failed", "cancelled"]
    why: str


class Schedule:
    """The tasks of one plan, and where each stands."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tasks: dict[str, Task] = {task.step: task for task in plan.tasks}
        self.heads: dict[str, TaskHead] = {step: TaskHead() for step in self.tasks}
        self.results: dict[str, Result] = {}
        self._blocked_by = {step: len(task.after) for step, task in self.tasks.items()}
        self._dependents: dict[str, list[str]] = defaultdict(list)
        for task in plan.tasks:
            for upstream in task.after:
                self._dependents[upstream].append(task.step)
        self._ready: dict[str, OrderedDict[str, None]] = defaultdict(OrderedDict)
        """Demand to the steps that may be released, in the plan's order; taking the first is cheap."""
        self._waiting: dict[str, set[str]] = defaultdict(set)
        """Demand to the steps that are queued."""
        self.running: set[str] = set()
        self._doomed: dict[str, Doomed] = {}
        self.unfinished = len(self.tasks)
        for task in plan.tasks:
            if not task.after:
                self._ready[task.demand][task.step] = None

    @property
    def finished(self) -> bool:
        return self.unfinished == 0

    @property
    def demands(self) -> Iterable[str]:
        """Demands that have ready or waiting tasks."""
        return {d for table in (self._ready, self._waiting) for d, steps in table.items() if steps}

    def ready(self, demand: str) -> int:
        """Return how many tasks with a demand may be released."""
        return len(self._ready[demand])

    def waiting(self, demand: str) -> int:
        """Return how many tasks with a demand are queued."""
        return len(self._waiting[demand])

    @property
    def out(self) -> int:
        """How many tasks are queued or running."""
        return len(self.running) + sum(map(len, self._waiting.values()))

    def ready_steps(self, demand: str) -> list[str]:
        return list(self._ready[demand])

    def queued_steps(self) -> list[str]:
        return [step for steps in self._waiting.values() for step in steps]

    def waits_for_a_node(self, step: str) -> bool:
        """Return whether nothing but a node keeps a task: it is ready or queued."""
        demand = self.tasks[step].demand
        return step in self._ready[demand] or step in self._waiting[demand]

    def take_ready(self, demand: str, number: int) -> list[str]:
        """Return and remove up to `number` tasks to release; `give_back` undoes it."""
        ready = self._ready[demand]
        steps = [ready.popitem(last=False)[0] for _ in range(min(number, len(ready)))]
        self._waiting[demand].update(steps)
        return steps

    def take(self, step: str) -> None:
        """Remove one task from the ready ones, as `take_ready` does."""
        demand = self.tasks[step].demand
        if self._ready[demand].pop(step, step) is None:
            self._waiting[demand].add(step)

    def give_back(self, step: str) -> None:
        """Make a taken task ready again: its release did not come about."""
        demand = self.tasks[step].demand
        if self.heads[step].state == "planned":
            self._waiting[demand].discard(step)
            self._ready[demand][step] = None

    def take_doomed(self) -> list[Doomed]:
        """Return and forget the planned tasks that must be ended now."""
        doomed = list(self._doomed.values())
        self._doomed.clear()
        return doomed

    def observe(self, step: str, head: TaskHead, result: Result | None = None) -> bool:
        """Take a task's head; return whether it says anything new."""
        before = self.heads.get(step)
        if before is None or head.seq <= before.seq:
            return False
        self.heads[step] = head
        demand = self.tasks[step].demand
        if head.state != "planned":
            self._ready[demand].pop(step, None)
        if head.state == "queued":
            self._waiting[demand].add(step)
        else:
            self._waiting[demand].discard(step)
        if head.state == "running":
            self.running.add(step)
        else:
            self.running.discard(step)
        if head.terminal and not before.terminal:
            if result is not None:
                self.results[step] = result
            self.unfinished -= 1
            self._doomed.pop(step, None)
            for dependent in self._dependents[step]:
                self._unblock(dependent, step, head)
        return True

    def _unblock(self, step: str, upstream: str, head: TaskHead) -> None:
        if self.heads[step].state != "planned":
            return
        task = self.tasks[step]
        if head.state != "done" and task.needs == "all":
            state: Literal["failed", "cancelled"] = "cancelled" if head.state == "cancelled" else "failed"
            self._doomed.setdefault(step, Doomed(step, state, f"{upstream} ended {head.state}"))
            return
        self._blocked_by[step] -= 1
        if self._blocked_by[step] == 0 and step not in self._doomed:
            self._ready[task.demand][step] = None

    def inputs(self, step: str) -> dict[str, Result]:
        """Return the results that a task builds on; an upstream that failed is left out."""
        return {name: self.results[name] for name in self.tasks[step].after if name in self.results}
