"""Plans of a coordinator without a model: by a demand or a template, else as one task for a node that has one. Pure."""

from collections.abc import Sequence

from ...errors import PlanError
from ...swarm.demand import Offer
from ...swarm.records import Plan, Planning, Request
from .by_model.make import direct_plan
from .by_model.menu import make_menu
from .by_model.when import asks_for_model
from .plan import make_plan
from .template import Template, asks_for_template
from .validate import validate

WHY = "this coordinator has no model to plan it"


def plan_without_model(
    request: Request,
    templates: Sequence[Template],
    asked: Sequence[Offer],
    living: Sequence[Offer],
    no_model: str = "",
) -> Plan:
    """Return the validated plan of a request; `asked`: whom a broadcast asks; `living`: what live nodes offer.

    `no_model`: why the model that is set for this coordinator cannot be asked; empty where none is set. Words that no template serves become one task where a live node takes words: a request that a coordinator
    with a model took must not fail because one without took it over. Raises PlanError.
    """
    try:
        return validate(make_plan(request, templates, asked, no_model))
    except PlanError:
        if request.plan is not None or not asks_for_model(request, templates):
            raise
        # It lacks a repository: that is said, and no agent is to guess at one.
        lacks = any(asks_for_template(request.text, template) for template in templates)
        menu = make_menu(living)
        if lacks or menu.free_text is None:
            raise
        return direct_plan(
            request, menu, Planning(by="direct", note=f"{WHY}: {no_model}" if no_model else WHY)
        )
