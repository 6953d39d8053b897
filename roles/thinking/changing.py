"""Changing: a model looks at a running request whose task ended badly, or asks for more, and may add tasks.

While it looks, what depends on the bad end stays as it is, and the request does not end. Each look is a new
revision of the plan, also where it changes nothing: so no later owner asks again.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from ...capabilities.agent.models.conversation import Message, User
from ...errors import ModelRefused, PicoclawError, PlanError
from ...swarm.background import Background
from ...swarm.records import Plan, Planning
from ..ledger import Fenced, Ledger
from ..manifest import write_plan
from ..planning.by_model.answer import CHANGE_SCHEMA, read_change
from ..planning.by_model.change import change_plan, concerns
from ..planning.by_model.menu import make_menu
from ..planning.by_model.prompt import ask_for_change, looker, mend
from .asking import Asker, begin_asking
from .mind import Mind
from .planning import ANSWERS, NOTE, limits_of
from .wanted import while_wanted

log = logging.getLogger(__name__)

STEP = "_plan-{revision}"
"""The journal's subject of the look that makes a revision."""


@dataclass(slots=True)
class Changes:
    """The looks at one running request."""

    ledger: Ledger
    mind: Mind | None
    wake: Callable[[], None]
    """The plan has changed, or a look has ended."""
    _look: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def pending(self) -> bool:
        """Whether a look is under way: nothing that it may save is to end meanwhile."""
        return self._look is not None and not self._look.done()

    def begin(self, tasks: Background) -> None:
        """Begin a look if one is due."""
        ledger = self.ledger
        if self.mind is None or self.pending or not ledger.planned or ledger.lost:
            return
        if ledger.head.cancelling or ledger.head.terminal or ledger.past_deadline:
            return
        schedule = ledger.schedule
        found = concerns(schedule.plan, schedule.heads, schedule.results, self.mind.limits)
        if found:
            self._look = tasks.start(
                self._change(self.mind, found), name=f"look at {ledger.request_id} again"
            )

    async def _change(self, mind: Mind, found: dict[str, str]) -> None:
        try:
            await self._look_again(mind, found)
        finally:
            self._look = None
            self.wake()

    async def _look_again(self, mind: Mind, found: dict[str, str]) -> None:
        ledger, plan = self.ledger, self.ledger.schedule.plan
        assert plan.planning is not None
        planning = plan.planning.model_copy(
            update={"revision": plan.planning.revision + 1, "settled": (*plan.planning.settled, *found)}
        )
        try:
            looked = await while_wanted(ledger, self._ask(mind, planning, found), patience=mind.patience)
            if looked is None:
                return
            plan = looked
        except ModelRefused as error:
            plan = self._in_vain(planning, str(error))
        except (Fenced, PicoclawError):
            raise
        except Exception as error:
            # Whatever a model answers, the request goes on.
            log.exception("a look at the plan failed", extra={"request": ledger.request_id})
            plan = self._in_vain(planning, f"{type(error).__name__}, see the coordinator's log")
        added = len(plan.tasks) - len(ledger.schedule.plan.tasks)
        await write_plan(ledger, plan, revision=planning.revision)
        ledger.change_plan(plan)
        log.info(
            "Plan looked at again",
            extra={"request": ledger.request_id, "added": added},
        )

    def _in_vain(self, planning: Planning, why: str) -> Plan:
        """Return the plan as it is, with a word on the look that changed nothing."""
        ledger = self.ledger
        log.warning("Plan not changed: %s", why, extra={"request": ledger.request_id})
        said = f"looked at again in vain: {' '.join(why.split())}"
        note = f"{planning.note}; {said}".removeprefix("; ")[:NOTE]
        return ledger.schedule.plan.model_copy(
            update={"planning": planning.model_copy(update={"note": note})}
        )

    async def _ask(self, mind: Mind, planning: Planning, found: dict[str, str]) -> Plan:
        ledger = self.ledger
        asker = await begin_asking(ledger, mind, STEP.format(revision=planning.revision))
        schedule = ledger.schedule
        offers = [member.offer for member in ledger.swarm.members.living()]
        question = ask_for_change(
            ledger.request,
            make_menu(offers, mind.described()),
            schedule.plan,
            schedule.heads,
            schedule.results,
            list(found.values()),
        )
        limits = limits_of(ledger, mind)
        messages: tuple[Message, ...] = (User(text=question),)
        left = ANSWERS
        while True:
            try:
                turn = await asker.ask(mind.question(looker(limits), messages, CHANGE_SCHEMA))
                if turn.stop == "refused":
                    raise ModelRefused(f"{turn.model} declined to look at it again")  # noqa: TRY301 - as any other
            except ModelRefused as error:
                return self._in_vain(_with_cost(planning, asker), str(error))
            left -= 1
            paid = _with_cost(planning, asker)
            try:
                change = read_change(turn.message.text)
                told = "; ".join(part for part in (planning.note, change.reason.strip()) if part)[:NOTE]
                after = paid.model_copy(update={"note": told})
                return change_plan(
                    change, schedule.plan, schedule.heads, ledger.request, offers, after, limits
                )
            except PlanError as error:
                if not left:
                    return self._in_vain(paid, str(error))
                messages = (*messages, turn.message, User(text=mend(str(error))))


def _with_cost(planning: Planning, asker: Asker) -> Planning:
    """Return the planning with what its last look took, whatever came of it."""
    usd = None if planning.usd is None or asker.usd is None else planning.usd + asker.usd
    return planning.model_copy(
        update={
            "turns": planning.turns + asker.turns,
            "tokens": planning.tokens + asker.tokens,
            "usd": usd,
        }
    )
