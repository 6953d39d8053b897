"""A running request's plan, changed by a model: when it is asked, and what its answer may do."""

from typing import Any

import pytest

from picoclaw.errors import PlanError
from picoclaw.roles.planning.by_model.answer import Change
from picoclaw.roles.planning.by_model.change import change_plan, concerns, needs_of
from picoclaw.roles.planning.by_model.limits import PlanLimits
from picoclaw.roles.schedule import Schedule
from picoclaw.swarm.demand import Offer
from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import Plan, Planning, Request, Result, State, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

OFFERS = (Offer(node="w1", role="worker", capabilities=frozenset({"research"})),)
REQUEST = Request(id="r-abcdefghijklmnop", key_digest="0", text="Compare two queues")
PLANNING = Planning(by="model")
PLAN = Plan(
    tasks=(
        Task(step="good", demand="research"),
        Task(step="bad", demand="research"),
        Task(step="later", demand="gone", after=("good", "bad")),
        Task(step="open", demand="research"),
    ),
    planning=PLANNING,
)
RESULTS = {"good": Result(summary="fine")}


def heads(**states: State) -> dict[str, TaskHead]:
    known: dict[str, State] = {
        "good": "done",
        "bad": "failed",
        "later": "planned",
        "open": "running",
        **states,
    }
    return {
        step: TaskHead(seq=n + 1, state=state, reason="error: broken" if state == "failed" else "")
        for n, (step, state) in enumerate(known.items())
    }


def change(*add: dict[str, Any], drop: tuple[str, ...] = ()) -> Change:
    return Change.model_validate(
        {"add": [{"demand": "research", "text": "again", **task} for task in add], "drop": drop}
    )


def changed(*add: dict[str, Any], drop: tuple[str, ...] = (), **more: Any) -> Plan:
    states = more.pop("states", heads())
    return change_plan(change(*add, drop=drop), PLAN, states, REQUEST, OFFERS, PLANNING, **more)


def dropped_of(plan: Plan) -> tuple[str, ...]:
    assert plan.planning is not None
    return plan.planning.dropped


def test_a_bad_end_and_a_question_are_concerns_once_and_only_of_a_plan_by_a_model() -> None:
    asked = {"good": Result(summary="I found it.\nNEEDS: the prices of the second one")}
    found = concerns(PLAN, heads(), asked)
    assert found == {
        "bad": "bad ended failed: error: broken",
        "good": "good is done and asks for more: the prices of the second one",
    }
    for planning in (
        None,
        PLANNING.model_copy(update={"by": "direct"}),
        PLANNING.model_copy(update={"settled": ("good", "bad")}),
        PLANNING.model_copy(update={"revision": 4}),
    ):
        assert concerns(PLAN.model_copy(update={"planning": planning}), heads(), asked) == {}


def test_what_failed_because_of_others_is_no_concern() -> None:
    states = heads()
    states["later"] = TaskHead(seq=9, state="failed", reason="dependency: bad ended failed")
    states["open"] = TaskHead(seq=9, state="cancelled", reason="person: no")
    assert list(concerns(PLAN, states, {})) == ["bad"]


def test_what_a_task_needs_stands_in_its_summary_or_its_data() -> None:
    assert needs_of(None) == needs_of(Result(summary="it needs: nothing")) == ""
    assert needs_of(Result(data={"needs": " more\nwork "})) == "more work"
    assert len(needs_of(Result(summary="NEEDS: " + "x" * 1000))) == 500
    assert needs_of(Result(summary="Half.\n- **NEEDS:** the prices")) == "the prices"


@pytest.mark.parametrize(
    "said", ["NEEDS: nothing.", "NEEDS: None", "**NEEDS:** n/a", "`NEEDS: what is missing`"]
)
def test_a_form_that_says_nothing_is_no_question(said: str) -> None:
    assert needs_of(Result(summary=f"All of it.\n{said}")) == ""


def test_what_waited_for_the_task_that_ended_badly_waits_for_the_one_in_its_place() -> None:
    plan = changed({"step": "second", "after": ["good"], "replaces": "bad"})
    assert dropped_of(plan) == ()
    assert [task.step for task in plan.tasks] == ["good", "bad", "later", "open", "second"]
    assert next(task for task in plan.tasks if task.step == "later").after == ("good", "second")
    schedule = Schedule(plan)
    for step, head in heads().items():
        schedule.observe(step, head, RESULTS.get(step))
    assert schedule.take_doomed() == []
    assert schedule.ready_steps("research") == ["second"]
    schedule.observe("second", TaskHead(seq=9, state="done"), Result(summary="at last"))
    assert schedule.ready_steps("gone") == ["later"]
    assert schedule.inputs("later").keys() == {"good", "second"}


def test_nothing_added_leaves_what_depends_on_the_bad_end_to_its_fate() -> None:
    plan = changed()
    schedule = Schedule(plan)
    for step, head in heads().items():
        schedule.observe(step, head, RESULTS.get(step))
    assert [doomed.step for doomed in schedule.take_doomed()] == ["later"]


def test_only_what_has_not_begun_is_dropped() -> None:
    assert dropped_of(changed(drop=("later", "later"))) == ("later",)
    # It began, or ended, while the model thought: that is nothing to ask the model again for.
    assert dropped_of(changed(drop=("open", "good", "later"))) == ("later",)
    with pytest.raises(PlanError, match="'nowhere' cannot be dropped"):
        changed(drop=("nowhere",))


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ({"step": "bad"}, "in the plan already"),
        ({"step": "x", "after": ["bad"]}, "'bad', which ended badly"),
        ({"step": "x", "replaces": "good"}, "which did not end badly"),
        ({"step": "x", "replaces": "open"}, "which did not end badly"),
        ({"step": "x", "after": ["nowhere"]}, "not in the plan"),
        ({"step": "x", "after": ["later"], "replaces": "bad"}, "cycle"),
        ({"step": "x", "demand": "gone"}, "step 'x'"),
        ({"step": "x", "text": ""}, "no text"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_words(added: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        changed(added)


def test_a_change_has_limits() -> None:
    many = tuple({"step": f"x{n}"} for n in range(11))
    with pytest.raises(PlanError, match="11 tasks are to be added, 10 are allowed"):
        changed(*many)
    with pytest.raises(PlanError, match="would have 6 tasks, 5 are allowed"):
        changed({"step": "x"}, {"step": "y"}, limits=PlanLimits(tasks=5))
    twice = ({"step": "x", "replaces": "bad"}, {"step": "y", "replaces": "bad"})
    with pytest.raises(PlanError, match="replaced twice"):
        changed(*twice)
