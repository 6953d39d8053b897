"""What a coordinator asks a model, against the swarm itself: outages, odd answers, crashes between two parts, small windows."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from picoclaw.capabilities.agent.models.client import OnText, Question
from picoclaw.capabilities.agent.models.conversation import Assistant, Turn, Usage, User
from picoclaw.errors import ContextTooLong, PlanError, SwarmTimeout
from picoclaw.roles.dropping import end_dropped
from picoclaw.roles.ledger import Ledger
from picoclaw.roles.manifest import write_plan
from picoclaw.roles.owner import Owner
from picoclaw.roles.planning.template import Template
from picoclaw.roles.synthesis.by_model.written import Written
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.roles.thinking.asking import begin_asking
from picoclaw.roles.thinking.mind import Mind
from picoclaw.roles.thinking.planning import plan_by_model
from picoclaw.roles.thinking.writing import write_report
from picoclaw.swarm.entries import Accepted, Failed, Planned, Queued
from picoclaw.swarm.records import Limited, Plan, Planning, Result, Retried, Task
from picoclaw.swarm.submission import new_request
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, entries, kinds, started, step, template
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


def planned(*steps: str) -> str:
    tasks = [{"step": name, "demand": "research", "text": f"find {name}"} for name in steps]
    return json.dumps({"reason": "because", "tasks": tasks})


@dataclass
class Says:
    """A model of a test's own: it answers by a function of the question's system prompt and last message."""

    answer: Callable[[str, str], Awaitable[str]]
    asked: list[str] = field(default_factory=list)

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        last = question.messages[-1]
        assert isinstance(last, User)
        self.asked.append(last.text)
        text = await self.answer(question.system, last.text)
        return Turn(
            message=Assistant(text=text), stop="end", model="test/small", usage=Usage(input=1, output=1)
        )

    async def close(self) -> None:
        """Nothing is held."""


def mind(answer: Callable[[str, str], Awaitable[str]], **more: Any) -> Mind:
    return Mind(client=Says(answer), model="test/small", **more)


async def accepted(
    lab: Lab,
    text: str = "Compare two queues",
    serves: tuple[str, ...] = ("research",),
    swarm: Swarm | None = None,
    **more: Any,
) -> Ledger:
    """A request that a worker of this lab owns: there is no coordinator to mix with."""
    swarm = swarm or (await lab.worker(executors(*map(Runs, serves)))).swarm
    request = new_request(text, **more)
    entry = Accepted(by=swarm.me.node, owner=swarm.me.node, run=swarm.me.run, request=request)
    await swarm.log.append(request.id, "_", entry, expected=0)
    ledger = Ledger(swarm, request.id)
    await ledger.load()
    return ledger


def owner(swarm: Swarm, request: str, thinks: Mind, *templates: Template) -> Owner:
    return Owner(swarm, request, templates, lambda: None, lambda demand, capability: False, thinks)


async def test_a_swarm_that_does_not_answer_while_a_model_plans_costs_a_request_nothing_but_time(
    lab: Lab,
) -> None:
    ledger = await accepted(lab)

    async def away(system: str, question: str) -> str:
        raise SwarmTimeout("no answer while writing: check the NATS server")

    async def back(system: str, question: str) -> str:
        return planned("one")

    with pytest.raises(SwarmTimeout):
        await owner(ledger.swarm, ledger.request_id, mind(away)).run()
    assert await kinds(ledger.swarm, ledger.request_id) == ["accepted"]
    second = asyncio.create_task(owner(ledger.swarm, ledger.request_id, mind(back)).run())

    async def there() -> bool:
        return "planned" in await kinds(ledger.swarm, ledger.request_id)

    await wait_for_async(there, 10)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


async def test_an_answer_that_breaks_the_reader_costs_a_request_the_model_and_no_more(lab: Lab) -> None:
    ledger = await accepted(lab)

    async def breaks(system: str, question: str) -> str:
        raise KeyError("choices")

    plan = await plan_by_model(ledger, mind(breaks), ())
    assert isinstance(plan, Plan)
    assert plan.planning is not None
    assert (plan.planning.by, [task.demand for task in plan.tasks]) == ("direct", ["research"])
    assert "KeyError, see the coordinator's log" in plan.planning.note
    said = await write_report(ledger, mind(breaks), OUTCOMES, {})
    assert said == "no model wrote this report: KeyError, see the coordinator's log"


async def test_a_template_that_fits_and_cannot_be_used_either_is_said_with_the_model(lab: Lab) -> None:
    ledger = await accepted(lab, "Review this", plan="model")

    async def prose(system: str, question: str) -> str:
        return "I would look at it."

    fits = template("look", step("a", input={"of": "${inputs.where}"}), join="plain")
    fits = fits.model_copy(update={"match": fits.match.model_copy(update={"asks": ("review",)})})
    plan = await plan_by_model(ledger, mind(prose), (fits,))
    assert isinstance(plan, Plan)
    assert plan.planning is not None
    assert plan.planning.by == "direct"
    assert "holds no JSON object" in plan.planning.note
    assert "nor would template look" in plan.planning.note


async def test_a_plan_has_no_more_tasks_than_the_swarm_lets_a_request_have(lab: Lab) -> None:
    ledger = await accepted(lab)
    await ledger.swarm.live.change({"request.queued": 2})
    answers = [planned("one", "two", "three"), planned("one", "two")]

    async def says(system: str, question: str) -> str:
        assert "At most 2 tasks" in system
        return answers.pop(0)

    thinks = mind(says)
    plan = await plan_by_model(ledger, thinks, ())
    assert isinstance(plan, Plan)
    assert len(plan.tasks) == 2
    assert isinstance(thinks.client, Says)
    assert "3 tasks, 2 are allowed" in thinks.client.asked[1]


async def test_where_nobody_offers_anything_no_model_is_paid(lab: Lab) -> None:
    ledger = await accepted(lab, unroutable="fail", serves=())

    async def never(system: str, question: str) -> str:
        raise AssertionError("it was asked")

    with pytest.raises(
        PlanError, match="no live node offers anything; nor does a live node take the request"
    ):
        await plan_by_model(ledger, mind(never), ())


def looked(*drop: str, **added: Any) -> str:
    tasks = [{"demand": "research", "text": "again", **added}] if added else []
    return json.dumps({"reason": "another way", "add": tasks, "drop": drop})


async def until(ledger: Ledger, step: str, *kinds_: str) -> None:
    async def there() -> bool:
        return await kinds(ledger.swarm, ledger.request_id, step) == list(kinds_)

    try:
        await wait_for_async(there, 10)
    except AssertionError:
        raise AssertionError(
            f"{step} is {await kinds(ledger.swarm, ledger.request_id, step)}, not {kinds_}"
        ) from None


async def planned_with_a_failure(lab: Lab) -> Ledger:
    """A request of three tasks, of which `bad` has failed, `last` waits for it, and `idle` for nothing."""
    ledger = await accepted(lab)
    tasks = (
        Task(step="bad", demand="research"),
        Task(step="last", demand="research", after=("bad",)),
        Task(step="idle", demand="elsewhere"),
    )
    plan = Plan(tasks=tasks, join="model", planning=Planning(by="model"))
    await write_plan(ledger, plan)
    failed = Failed(by="w", reason="error", error="no network", attempt=1, node="w")
    await ledger.swarm.log.append(ledger.request_id, "bad", failed, expected=0)
    return ledger


async def carried(ledger: Ledger, thinks: Mind | None) -> asyncio.Task[None]:
    owner_ = Owner(
        ledger.swarm, ledger.request_id, (), lambda: None, lambda demand, capability: False, thinks
    )
    return asyncio.create_task(owner_.run())


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_look_that_its_coordinator_did_not_live_to_write_down_is_not_paid_again(lab: Lab) -> None:
    async def looks(system: str, question: str) -> str:
        return looked("idle", step="second", replaces="bad")

    thinks = mind(looks)
    ledger = await planned_with_a_failure(lab)
    # The journal has the answer, and then its coordinator is gone: what the first one wrote is all there is.
    asker = await begin_asking(ledger, thinks, "_plan-2")
    await asker.ask(thinks.question("s", (User(text="what now?"),)))
    running = await carried(ledger, thinks)
    await until(ledger, "idle", "cancelled")
    await ended(running)
    assert isinstance(thinks.client, Says)
    assert thinks.client.asked == ["what now?"]
    heads = [entry.kind for entry in await entries(ledger.swarm, ledger.request_id)]
    assert heads == ["accepted", "planned", "planned"]
    assert await kinds(ledger.swarm, ledger.request_id, "last") == []


async def test_what_a_look_dropped_ends_though_its_coordinator_is_gone_and_the_next_has_no_model(
    lab: Lab,
) -> None:
    ledger = await planned_with_a_failure(lab)
    await ledger.load()
    plan = ledger.schedule.plan
    planning = Planning(by="model", revision=2, settled=("bad",), dropped=("idle",))
    await write_plan(ledger, plan.model_copy(update={"planning": planning}), revision=2)
    running = await carried(ledger, None)
    await until(ledger, "idle", "cancelled")
    await until(ledger, "last", "failed")
    await asyncio.wait_for(running, 10)
    assert (await kinds(ledger.swarm, ledger.request_id))[-1] == "failed"

    # Whoever runs it again means all of it.
    again = await accepted(lab, retried=Retried(request=ledger.request_id), swarm=ledger.swarm)
    running = await carried(again, None)
    await until(again, "_", "accepted", "planned")
    last = (await entries(again.swarm, again.request_id))[-1]
    assert isinstance(last, Planned)
    assert last.plan is not None
    assert last.plan.planning == Planning(by="model")
    await ended(running)


async def test_what_a_worker_begins_as_it_is_dropped_goes_on(lab: Lab) -> None:
    ledger = await planned_with_a_failure(lab)
    await ledger.load()
    planning = Planning(by="model", revision=2, settled=("bad",), dropped=("idle",))
    ledger.change_plan(ledger.schedule.plan.model_copy(update={"planning": planning}))
    # Its coordinator hears of this only when its own entry is refused.
    released = Queued(by="test", demand="elsewhere", priority=1, reason="released")
    log = ledger.swarm.log
    seq = await log.append(ledger.request_id, "idle", released, expected=0)
    await log.append(ledger.request_id, "idle", started("w", demand="elsewhere"), expected=seq)
    for _ in range(2):
        await end_dropped(ledger)
    assert await kinds(ledger.swarm, ledger.request_id, "idle") == ["queued", "started"]


async def test_a_look_whose_answer_breaks_the_reader_changes_nothing_and_the_request_ends(lab: Lab) -> None:
    async def breaks(system: str, question: str) -> str:
        raise KeyError("choices")

    thinks = mind(breaks)
    ledger = await planned_with_a_failure(lab)
    running = await carried(ledger, thinks)
    await until(ledger, "last", "failed")
    await ended(running)
    last = (await entries(ledger.swarm, ledger.request_id))[-1]
    assert isinstance(last, Planned)
    assert last.plan is not None
    assert last.plan.planning is not None
    assert "looked at again in vain: KeyError" in last.plan.planning.note


OUTCOMES = tuple(
    Outcome(step=name, state="done", result=Result(summary=f"{name}: " + f"fact of {name}. " * 150))
    for name in ("one", "two", "three")
)


async def test_notes_of_a_coordinator_that_was_killed_are_no_report_of_the_next(lab: Lab) -> None:
    ledger = await accepted(lab)
    thinking = asyncio.Event()

    async def reads(system: str, question: str) -> str:
        if "three: fact" in question:
            thinking.set()
            await asyncio.Event().wait()
        return "- a note [task:one]"

    first = asyncio.create_task(write_report(ledger, mind(reads, room=2_600), OUTCOMES, {}))
    async with asyncio.timeout(10):
        await thinking.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

    async def writes(system: str, question: str) -> str:
        return "The report [task:one]."

    # Its model reads more at once: it needs no notes.
    written = await write_report(ledger, mind(writes, room=100_000), OUTCOMES, {})
    assert isinstance(written, Written)
    assert (written.text, written.reduced) == ("The report [task:one].", 0)
    # And what it was paid for is not asked again.
    again = mind(reads, room=100_000)
    assert await write_report(ledger, again, OUTCOMES, {}) == written
    assert isinstance(again.client, Says)
    assert again.client.asked == []


async def test_plan_and_report_are_paid_by_the_request_and_what_is_spent_asks_nobody(lab: Lab) -> None:
    ledger = await accepted(lab, budget=Limited(turns=1))

    async def says(system: str, question: str) -> str:
        return planned("one", "two")

    thinks = mind(says)
    plan = await plan_by_model(ledger, thinks, ())
    assert isinstance(plan, Plan)
    assert len(plan.tasks) == 2
    said = await write_report(ledger, thinks, OUTCOMES, {})
    assert isinstance(said, str)
    assert said.startswith("no model wrote this report: no money is left to ask test/small: request r-")
    assert isinstance(thinks.client, Says)
    assert len(thinks.client.asked) == 1


async def test_in_a_tiny_window_every_result_is_read_though_the_request_alone_would_fill_it(
    lab: Lab,
) -> None:
    ledger = await accepted(lab, "Compare them. " * 2_000)
    read: set[str] = set()

    async def small(system: str, question: str) -> str:
        if len(question) > 5_000:
            raise ContextTooLong("the question is longer than the model reads")
        read.update(name for name in ("one", "two", "three") if f"fact of {name}" in question)
        return "- all of it [task:one]"

    written = await write_report(ledger, mind(small, room=8_000), OUTCOMES, {})
    assert isinstance(written, Written), written
    assert read == {"one", "two", "three"}
    assert (written.left_out, written.reduced > 0) == (0, True)
