"""Spending: what agents have spent and reserved, in one record per task, request tree and day. Pure.

What a task writes is absolute, as its journal says it: to write it again, after whatever crash, changes
nothing. What it had spent when it began here is its base, so that nothing counts twice. A reservation of
a run that was lost stands, as it may be billed, until the task goes on and its journal tells.
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from ..records import Limited, Record

MOST_OPEN = 1000
"""Tasks that are told apart; beyond, the oldest counts as ended. It may come back, and begins anew."""
MOST_REQUESTS = 100
"""Requests of one tree."""


class Sum(Record):
    """Turns and what they took."""

    kind_name: ClassVar[str] = "sum"
    turns: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    """Turns whose price is unknown."""
    maybe_billed: int = 0
    """Turns without an answer, counted at their worst case."""

    def plus(self, other: "Sum") -> "Sum":
        return Sum(
            turns=self.turns + other.turns,
            tokens=self.tokens + other.tokens,
            usd=self.usd + other.usd,
            unpriced=self.unpriced + other.unpriced,
            maybe_billed=self.maybe_billed + other.maybe_billed,
        )

    def since(self, base: "Sum") -> "Sum":
        """Return what came after `base`; nothing goes below zero."""
        return Sum(
            turns=max(0, self.turns - base.turns),
            tokens=max(0, self.tokens - base.tokens),
            usd=max(0.0, self.usd - base.usd),
            unpriced=max(0, self.unpriced - base.unpriced),
            maybe_billed=max(0, self.maybe_billed - base.maybe_billed),
        )


class Running(Record):
    """One task that is at work."""

    kind_name: ClassVar[str] = "spending of a task"
    attempt: int
    base: Sum = Sum()
    """What it had spent before this record knew it."""
    spent: Sum = Sum()
    """Since then."""
    reserved: Sum | None = None
    """For the turn that is in flight."""


class Spending(Record):
    """What one account has spent."""

    kind_name: ClassVar[str] = "spending"
    ended: Sum = Sum()
    """Of tasks that have ended."""
    running: Mapping[str, Running] = Field(default_factory=dict)
    """By task id."""
    raised: Limited | None = None
    """What somebody allowed once its budget was spent: goes before that."""
    requests: tuple[str, ...] = ()
    """Those that the task, or the tasks of the tree, handed on."""


def written(spending: Spending, task: str, attempt: int, total: Sum, reserved: Sum | None) -> Spending | None:
    """Return the record with what a task has spent in all, and reserves; None: a later attempt has it."""
    before = spending.running.get(task)
    if before is not None and before.attempt > attempt:
        return None
    base = total if before is None else before.base
    entry = Running(attempt=attempt, base=base, spent=total.since(base), reserved=reserved)
    running = {name: one for name, one in spending.running.items() if name != task} | {task: entry}
    ended = spending.ended
    while len(running) > MOST_OPEN:
        oldest = next(iter(running))
        ended = ended.plus(_whole(running.pop(oldest)))
    return spending.model_copy(update={"running": running, "ended": ended})


def closed(spending: Spending, task: str, attempt: int, total: Sum) -> Spending | None:
    """Return the record once a task asks no more; None: a later attempt has it."""
    last = written(spending, task, attempt, total, None)
    if last is None:
        return None
    entry = last.running[task]
    running = {name: one for name, one in last.running.items() if name != task}
    return last.model_copy(update={"running": running, "ended": last.ended.plus(entry.spent)})


def spent(spending: Spending, *, without: str | None = None) -> Sum:
    """Return all that was spent or reserved; of the task `without` only what it spent."""
    total = spending.ended
    for task, one in spending.running.items():
        total = total.plus(one.spent if task == without else _whole(one))
    return total


def _whole(one: Running) -> Sum:
    return one.spent if one.reserved is None else one.spent.plus(one.reserved)


def handed_on(spending: Spending, request: str, *, most: int = MOST_REQUESTS) -> Spending | None:
    """Return the record of a task or a tree with one request more; None: it has as many as it may."""
    if request in spending.requests:
        return spending
    if len(spending.requests) >= most:
        return None
    return spending.model_copy(update={"requests": (*spending.requests, request)})


def tree_key(root: str) -> str:
    """Return where the spending of a request and all that it handed on stands."""
    return f"tree.{root}"


def task_key(task: str) -> str:
    """Return where the spending of a task and all that it handed on stands."""
    return f"task.{task}"


def day_key(day: str) -> str:
    """Return where the spending of the whole H-id on a day stands, `YYYY-MM-DD` in UTC."""
    return f"day.{day}"
