"""The limits of a task: what the request says, before its template's task, before the template's defaults. Pure."""

from typing import Any

from ...swarm.records import Request, Retry
from ...swarm.retry_policy import merge
from .template_model import TemplateDefaults, TemplateTask

ATTEMPTS = 3
"""Attempts at a task of which nobody says anything."""


def limits_of(request: Request, task: TemplateTask, defaults: TemplateDefaults) -> dict[str, Any]:
    """Return the fields of a task that limit it."""
    own, shared = _said(task), _said(defaults)
    retry = merge(own, shared)
    named = request.max_attempts or (retry.attempts if retry is not None else None)
    return {
        **times_of(request, task.timeout_s or defaults.timeout_s, task.deadline_s or defaults.deadline_s),
        "max_attempts": named or ATTEMPTS,
        "retry": retry,
        "unroutable": request.unroutable or task.unroutable or defaults.unroutable,
        "grace_s": defaults.grace_s if task.grace_s is None else task.grace_s,
    }


def times_of(
    request: Request, timeout_s: float | None = None, deadline_s: float | None = None
) -> dict[str, Any]:
    """Return how long an attempt, and all of them together, may take; no attempt may outlive the request."""
    limits = [
        limit for limit in (request.task_timeout_s or timeout_s, request.deadline_s) if limit is not None
    ]
    return {"timeout_s": min(limits, default=None), "deadline_s": request.task_deadline_s or deadline_s}


def _said(what: TemplateTask | TemplateDefaults) -> Retry | None:
    told = what.retry
    attempts = told.attempts or what.max_attempts
    said = Retry(attempts=attempts, first_s=told.delay_s, longest_s=told.longest_s, final=told.final)
    return said if said != Retry() else None
