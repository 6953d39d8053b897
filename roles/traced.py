"""Traced: the spans of a request, its plan, and each attempt at a task."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ..capabilities.executor import Context, Executor
from ..swarm.records import QueuedTask, Result
from ..swarm.swarm import Swarm
from ..swarm.tracing import names
from ..swarm.tracing.spans import OFF, Span, Value
from .ledger import Ledger


@contextmanager
def request_span(ledger: Ledger) -> Iterator[None]:
    """Trace a request that was read, as long as it is carried here."""
    tracing = ledger.swarm.tracing
    if tracing is OFF or ledger.lost:
        yield
        return
    with tracing.request(ledger.request_id, ledger.request.trace) as span:
        ledger.trace = tracing.traceparent()
        yield
        if ledger.head.terminal:
            span.set({names.REQUEST_STATE: ledger.head.state, names.NODE: ledger.me})


def plan_span(ledger: Ledger) -> AbstractContextManager[Span]:
    """Trace the making of a request's plan."""
    return ledger.swarm.tracing.span(names.PLAN_SPAN, {names.REQUEST_ID: ledger.request_id})


async def execute(executor: Executor, queued: QueuedTask, context: Context, swarm: Swarm) -> Result:
    """Carry out one attempt, traced."""
    if swarm.tracing is OFF:
        return await executor.execute(queued, context)
    task = queued.task
    attributes: dict[str, Value] = {
        names.REQUEST_ID: queued.request,
        names.TASK_ID: queued.id,
        names.TASK_ATTEMPT: context.attempt,
        names.TASK_DEMAND: queued.lane or task.demand,
        names.NODE: swarm.me.node,
    }
    with swarm.tracing.span(f"{names.TASK_SPAN} {task.demand}", attributes, queued.trace):
        return await executor.execute(queued, context)
