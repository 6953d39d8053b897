"""Planning by a model: one question, one more with the error where the answer will not do, else without it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from ...capabilities.agent.models.conversation import Message, User
from ...errors import ModelRefused, PicoclawError, PlanError
from ...swarm.demand import Offer
from ...swarm.entries import Failed
from ...swarm.records import Plan, Planning
from ..late import late
from ..ledger import Fenced, Ledger
from ..planning.by_model.answer import PLAN_SCHEMA, read_plan
from ..planning.by_model.limits import PlanLimits
from ..planning.by_model.make import direct_plan, make_plan
from ..planning.by_model.menu import Menu, make_menu
from ..planning.by_model.prompt import ask_for_plan, mend, planner
from ..planning.plan import make_plan as plan_by_template
from ..planning.template import Template, find_template
from ..planning.validate import validate
from .asking import Asker, begin_asking
from .mind import Mind
from .wanted import while_wanted

log = logging.getLogger(__name__)

STEP = "_plan"
"""The journal's subject of a request's planning; no task's step begins like that."""
ANSWERS = 2
"""Answers to one question: the first, and one with what was wrong with it."""
NOTE = 500
"""Characters of what a plan says of its origin."""
LOOK = timedelta(milliseconds=500)


async def plan_by_model(ledger: Ledger, mind: Mind, templates: Sequence[Template]) -> Plan | Failed | None:
    """Return the plan of a request that nobody else plans, or by what the request ends; None: it is to end.

    Waits until a live node offers something. Where the model's plan will not do a template that matches is
    taken, else one task in words; the plan says so. Raises PlanError where neither is there, Fenced, and
    SwarmError.
    """
    offers = await _offers(ledger)
    if isinstance(offers, Failed) or offers is None:
        return offers
    menu = make_menu(offers, mind.described())
    if not menu.choices:
        return direct_plan(ledger.request, menu, Planning(by="direct", note="no live node offers anything"))
    asker: Asker | None = None
    try:
        # It waits where the journal is full: that too ends once nobody wants the request any more.
        asker = await while_wanted(ledger, begin_asking(ledger, mind, STEP), patience=mind.patience)
        plan = None
        if asker is not None:
            plan = await while_wanted(ledger, _ask(ledger, mind, asker, menu, offers), patience=mind.patience)
    except (ModelRefused, PlanError) as error:
        log.warning("Request planned without the model: %s", error, extra={"request": ledger.request_id})
        return _without(ledger, templates, menu, asker, f"the model's plan would not do: {error}")
    except (Fenced, PicoclawError):
        raise
    except Exception as error:
        # Whatever a model answers, the request goes on.
        log.exception("the model's answer could not be used", extra={"request": ledger.request_id})
        why = f"the model's answer could not be used: {type(error).__name__}, see the coordinator's log"
        return _without(ledger, templates, menu, asker, why)
    if plan is None and ledger.past_deadline:
        return Failed(by=ledger.me, reason="deadline", error=f"{late()} while a model planned it")
    return plan


async def _ask(ledger: Ledger, mind: Mind, asker: Asker, menu: Menu, offers: Sequence[Offer]) -> Plan:
    """Return the model's plan. Raises PlanError for the last answer, ModelRefused."""
    limits = limits_of(ledger, mind)
    messages: tuple[Message, ...] = (User(text=ask_for_plan(ledger.request, menu)),)
    left = ANSWERS
    while True:
        turn = await asker.ask(mind.question(planner(limits), messages, PLAN_SCHEMA))
        left -= 1
        if turn.stop == "refused":
            raise ModelRefused(f"{turn.model} declined to plan it")
        try:
            if turn.stop == "length":
                raise PlanError("the answer is too long and was cut: plan fewer tasks, with shorter texts")  # noqa: TRY301 - mended as any other
            answer = read_plan(turn.message.text)
            planning = Planning(by="model", note=answer.reason.strip()[:NOTE], **spent(asker))
            return await asyncio.to_thread(make_plan, answer, ledger.request, offers, planning, limits)
        except PlanError as error:
            if not left:
                raise
            log.info("the model's plan is to be mended: %s", error, extra={"request": ledger.request_id})
            messages = (*messages, turn.message, User(text=mend(str(error))))


def limits_of(ledger: Ledger, mind: Mind) -> PlanLimits:
    """Return what may be planned: no more tasks than the swarm lets one request have."""
    most = ledger.swarm.live.record.request_queued
    limits = mind.limits
    return limits if most is None else replace(limits, tasks=min(limits.tasks, most))


def spent(asker: Asker | None) -> dict[str, object]:
    """Return what the questions took, as a plan says it."""
    if asker is None:
        return {}
    return {"model": asker.model, "turns": asker.turns, "tokens": asker.tokens, "usd": asker.usd}


def _without(
    ledger: Ledger, templates: Sequence[Template], menu: Menu, asker: Asker | None, why: str
) -> Plan:
    request = ledger.request.model_copy(update={"plan": None})
    why = " ".join(why.split())[:NOTE]
    if (template := find_template(request, templates)) is not None:
        try:
            plan = validate(plan_by_template(request, templates))
        except PlanError as error:
            why = f"{why}; nor would template {template.name}: {error}"[: 2 * NOTE]
        else:
            return plan.model_copy(update={"planning": Planning(by="template", note=why, **spent(asker))})
    return direct_plan(request, menu, Planning(by="direct", note=why, **spent(asker)))


async def _offers(ledger: Ledger) -> Sequence[Offer] | Failed | None:
    """Return what live nodes offer once there is anything, or by what the request ends; None: it is to end."""
    request, members = ledger.request, ledger.swarm.members
    said = False
    while True:
        ledger.check_ownership()
        offers = [member.offer for member in members.living()] if members.hears_itself else None
        if offers is not None and (make_menu(offers).choices or request.unroutable not in (None, "wait")):
            return offers
        if ledger.head.cancelling or ledger.head.terminal:
            return None
        if ledger.past_deadline:
            return Failed(by=ledger.me, reason="deadline", error=f"{late()} while no node offered anything")
        if not said:
            log.warning(
                "no node offers anything that a plan could ask for", extra={"request": ledger.request_id}
            )
            said = True
        await asyncio.sleep(LOOK.total_seconds())
