"""Traced: the span of one agent's work on a task."""

from contextlib import AbstractContextManager

from ...swarm.tracing import names
from ...swarm.tracing.spans import Span, span


def agent_span(agent: str, task: str) -> AbstractContextManager[Span]:
    """Trace an agent by its name; its conversation is that of the task with this id."""
    return span(agent, names.INVOKE_AGENT, {names.AGENT_NAME: agent, names.CONVERSATION_ID: task})
