"""When a request is planned by a model. Pure."""

from collections.abc import Sequence

from ....swarm.records import Request
from ..template import Template, find_template


def asks_for_model(request: Request, templates: Sequence[Template]) -> bool:
    """Return whether a model is to plan a request: it says so, or nothing else tells what to do.

    A template that matches goes first. Raises PlanError as `find_template`.
    """
    named = request.demand, request.template, request.workflow, request.broadcast, request.retried
    if any(value is not None for value in named):
        return False
    return request.plan == "model" or find_template(request, templates) is None
