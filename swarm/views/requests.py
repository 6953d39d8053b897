"""Requests and their tasks as people see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from ..entries import Dead, Done, Entry, Failed
from ..fold import RequestHead, TaskHead, fold_task
from ..held_with import held_with
from ..records import Plan, Request, Task
from ..subjects import task_id
from .nodes import Around
from .waiting import LanePlace, why_request_waits, why_task_waits


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestState:
    """One request as its log, or the inbox, shows it."""

    id: str
    created_at: float
    """Server time at which it came in: into the inbox while it waits there, else into the log."""
    head: RequestHead = field(default_factory=RequestHead)
    request: Request | None = None
    text: str = ""
    """What is known of it where the request itself is not: it was withdrawn from the inbox."""
    plan: Plan | None = None
    heads: Mapping[str, TaskHead] = field(default_factory=dict)
    """Of the tasks that have an entry."""
    due_at: float | None = None
    """Server time for which it waits; set until then."""

    @property
    def asked(self) -> str:
        """What was asked, in words."""
        return self.request.text if self.request is not None else self.text

    def tasks(self) -> dict[str, Task | None]:
        """Return all its tasks by step, in the plan's order; None for one that only the log knows."""
        found: dict[str, Task | None] = {task.step: task for task in self.plan.tasks} if self.plan else {}
        return found | dict.fromkeys(sorted(self.heads.keys() - found.keys()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One line of `get requests`."""

    id: str
    state: str
    status: str
    """The state, or `cancelling`, or `done(partial)`."""
    done: int
    total: int | None
    """None until it is planned."""
    owner: str
    created_at: float
    changed_at: float
    priority: int
    text: str
    reason: str
    """Why it waits, or why it ended as it did."""
    retries: str = ""
    """The request of which it does again what did not finish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One line of `get tasks`."""

    id: str
    request: str
    step: str
    title: str
    capability: str
    """Its demand, in words that people use."""
    node: str
    state: str
    status: str
    """The state, or `unroutable`."""
    attempt: int
    changed_at: float
    """Server time of its last change; for a planned one, of its plan."""
    reason: str
    """Why it waits, or why it ended as it did."""
    created_at: float
    """Server time at which its request came in."""
    priority: int
    carried: str = ""
    """The request in which it ended so, where it did not run again."""
    does: str = ""
    """The capability by which it is done, where its demand only says where."""
    waits_for: str = ""
    """What a running one waits for: `approval`, or `resume`; empty: nothing."""


def last_head(entry: Entry | None, seq: int, at: float) -> TaskHead:
    """Return a task's head from its last entry alone."""
    head = fold_task(TaskHead(), entry, seq, at)
    if isinstance(entry, Done | Failed | Dead):
        head = replace(head, node=entry.node, attempt=entry.attempt)
    return head


def request_row(state: RequestState, around: Around) -> RequestRow:
    """Return the row of a request."""
    head = state.head
    status = str(head.state)
    if head.cancelling and not head.terminal:
        status = "cancelling"
    elif head.state == "done" and head.partial:
        status = "done(partial)"
    held = _held(state, around) if not head.terminal else ""
    ended = sum(1 for task_head in state.heads.values() if task_head.terminal)
    total = len(state.tasks()) if state.plan is not None or head.terminal else None
    return RequestRow(
        id=state.id,
        state=head.state,
        status=status,
        done=ended,
        total=total,
        owner=head.owner,
        created_at=state.created_at,
        changed_at=head.at or state.created_at,
        priority=state.request.priority if state.request else 1,
        text=state.asked,
        reason=head.reason or why_request_waits(head, around, state.due_at) or held,
        retries=state.request.retried.request if state.request and state.request.retried else "",
    )


def task_row(
    state: RequestState, step: str, task: Task | None, around: Around, place: LanePlace | None = None
) -> TaskRow:
    """Return the row of a task; `task`: as it stands in the plan."""
    head = state.heads.get(step, TaskHead())
    open_ = not head.terminal and not state.head.terminal
    waits = why_task_waits(head, task, state.head, state.heads, around, place) if open_ else ""
    asks = around.asks.get(task_id(state.id, step)) if open_ and head.state == "running" else None
    held = _held(state, around) if open_ else ""
    waits_for = ""
    if asks is not None:
        waits, waits_for = f"waiting for approval {asks}", "approval"
    elif held and head.state == "running" and not waits:
        waits, waits_for = held, "resume"
    return TaskRow(
        id=task_id(state.id, step),
        request=state.id,
        step=step,
        title=task.title if task else "",
        capability=head.demand or (task.demand if task else ""),
        node=head.node,
        state=head.state,
        status="unroutable" if waits.startswith("unroutable: ") else head.state,
        attempt=head.attempt,
        changed_at=head.at or state.head.at or state.created_at,
        reason=waits or _ended(head),
        carried=head.carried,
        created_at=state.created_at,
        priority=_priority(state, head, task),
        does=(task.capability if task else None) or "",
        waits_for=waits_for,
    )


def _held(state: RequestState, around: Around) -> str:
    """Return in words who holds the request's agents, and how they go on; empty: nobody."""
    for request in held_with(state.id, state.request.parent if state.request else None):
        if held := around.paused.get(request):
            return f"{held}; agents wait before their next step, `picoclaw resume {request}` lets them go on"
    return ""


def _ended(head: TaskHead) -> str:
    """Return why a task ended as it did, and where."""
    return "; ".join(part for part in (head.reason, head.carried and f"carried from {head.carried}") if part)


def _priority(state: RequestState, head: TaskHead, task: Task | None) -> int:
    if head.demand:
        return head.priority
    if task is not None and task.priority is not None:
        return task.priority
    return state.request.priority if state.request else 1


def task_rows(state: RequestState, around: Around, limit: int | None = None) -> list[TaskRow]:
    """Return the rows of a request's tasks, or of the first `limit` of them, in the plan's order."""
    return [task_row(state, step, task, around) for step, task in islice(state.tasks().items(), limit)]
