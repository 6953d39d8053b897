"""Schedule: what waits for what, in whatever order the log is heard, and that no plan gets stuck."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.roles.schedule import Doomed, Schedule
from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import Plan, Result, State, Task
from picoclaw.tests.support.strategies import ENDED

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]


def plan(*tasks: Task) -> Plan:
    return Plan(tasks=tasks)


def task(step: str, *after: str, **more: object) -> Task:
    return Task(step=step, demand=str(more.pop("demand", "code")), after=after, **more)


def ended(schedule: Schedule, step: str, state: State = "done", result: Result | None = None) -> None:
    schedule.observe(step, TaskHead(seq=schedule.heads[step].seq + 1, state=state), result)


def doomed(schedule: Schedule) -> list[tuple[str, str]]:
    return [(one.step, one.state) for one in schedule.take_doomed()]


# --- the rules, by example ---


def test_a_task_is_ready_once_all_that_it_waits_for_is_done() -> None:
    schedule = Schedule(plan(task("a"), task("b"), task("c", "a", "b")))
    assert schedule.ready_steps("code") == ["a", "b"]
    ended(schedule, "a")
    assert "c" not in schedule.ready_steps("code")
    ended(schedule, "b")
    assert schedule.ready_steps("code") == ["c"]


@pytest.mark.parametrize(
    ("upstream", "state"), [("failed", "failed"), ("dead", "failed"), ("cancelled", "cancelled")]
)
def test_a_failed_task_fails_what_depends_on_it_and_a_cancelled_one_cancels_it(
    upstream: State, state: str
) -> None:
    schedule = Schedule(plan(task("a"), task("b", "a")))
    ended(schedule, "a", upstream)
    assert schedule.take_doomed() == [Doomed("b", state, f"a ended {upstream}")]  # type: ignore[arg-type]
    assert schedule.take_doomed() == []
    assert schedule.ready("code") == 0


def test_a_task_that_needs_only_ends_runs_after_a_failure() -> None:
    schedule = Schedule(plan(task("a"), task("b"), task("join", "a", "b", needs="settled")))
    ended(schedule, "a", "failed")
    ended(schedule, "b", "cancelled")
    assert schedule.ready_steps("code") == ["join"]
    assert doomed(schedule) == []


def test_results_reach_what_builds_on_them_and_a_failed_one_is_left_out() -> None:
    schedule = Schedule(plan(task("a"), task("b"), task("join", "a", "b", needs="settled")))
    ended(schedule, "a", result=Result(summary="found"))
    ended(schedule, "b", "failed")
    assert schedule.inputs("join") == {"a": Result(summary="found")}


def test_a_taken_task_is_waiting_and_given_back_it_is_ready_again() -> None:
    schedule = Schedule(plan(task("a"), task("b")))
    assert schedule.take_ready("code", 1) == ["a"]
    assert (schedule.ready("code"), schedule.waiting("code")) == (1, 1)
    schedule.give_back("a")
    assert (schedule.ready("code"), schedule.waiting("code")) == (2, 0)


def test_a_released_task_cannot_be_given_back() -> None:
    schedule = Schedule(plan(task("a")))
    schedule.take_ready("code", 1)
    schedule.observe("a", TaskHead(seq=1, state="running"))
    schedule.give_back("a")
    assert (schedule.ready("code"), schedule.waiting("code"), schedule.running) == (0, 0, {"a"})


def test_tasks_are_told_apart_by_what_they_demand() -> None:
    schedule = Schedule(plan(task("a", demand="code"), task("b", demand="docs")))
    assert set(schedule.demands) == {"code", "docs"}
    schedule.take("b")
    assert (schedule.ready("docs"), schedule.waiting("docs"), schedule.ready("code")) == (0, 1, 1)
    ended(schedule, "b")
    assert set(schedule.demands) == {"code"}


def test_what_was_heard_already_says_nothing_new() -> None:
    schedule = Schedule(plan(task("a")))
    assert schedule.observe("a", TaskHead(seq=5, state="done"))
    assert not schedule.observe("a", TaskHead(seq=5, state="done"))
    assert not schedule.observe("a", TaskHead(seq=4, state="queued"))
    assert not schedule.observe("stranger", TaskHead(seq=6, state="queued"))
    assert schedule.finished


def test_a_task_that_ended_before_it_was_released_is_not_released() -> None:
    schedule = Schedule(plan(task("a"), task("b", "a")))
    ended(schedule, "b", "cancelled")
    ended(schedule, "a")
    assert schedule.ready("code") == 0
    assert schedule.finished


def test_a_plan_of_fifty_thousand_tasks_stays_cheap() -> None:
    tasks = [task("root")] + [task(f"t{i}", "root") for i in range(50_000)]
    schedule = Schedule(plan(*tasks))
    ended(schedule, "root")
    before = time.process_time()
    for step in schedule.ready_steps("code")[:2000]:
        schedule.take(step)
        schedule.observe(step, TaskHead(seq=1, state="queued"))
        schedule.observe(step, TaskHead(seq=2, state="running"))
        schedule.observe(step, TaskHead(seq=3, state="done"))
        assert not schedule.finished
    assert time.process_time() - before < 1.0, "each change must cost what it touches, not the plan"


# --- what holds for every plan ---


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    steps = [f"s{i}" for i in range(draw(st.integers(1, 7)))]
    return plan(
        *(
            task(
                step,
                *draw(st.lists(st.sampled_from(steps[:i]), unique=True)) if i else (),
                demand=draw(st.sampled_from(["code", "docs"])),
                needs=draw(st.sampled_from(["all", "settled"])),
            )
            for i, step in enumerate(steps)
        )
    )


def verdict(one: Task, states: dict[str, State]) -> str:
    """Return what a planned task is, said the slow and plain way."""
    upstream = [states[step] for step in one.after]
    if one.needs == "all" and any(state in ENDED and state != "done" for state in upstream):
        return "doomed"
    return "ready" if all(state in ENDED for state in upstream) else "blocked"


@given(plans(), st.data())
def test_ready_doomed_waiting_and_finished_are_what_the_heads_say(
    the_plan: Plan, data: st.DataObject
) -> None:
    schedule = Schedule(the_plan)
    states: dict[str, State] = dict.fromkeys(schedule.tasks, "planned")
    told_doomed: set[str] = set()
    for seq in range(1, data.draw(st.integers(0, 20)) + 1):
        # In any order: the log of one task is heard before or after another's.
        step = data.draw(st.sampled_from(sorted(states)))
        if states[step] not in ENDED:
            states[step] = data.draw(st.sampled_from(("queued", "running", *ENDED)))
        schedule.observe(step, TaskHead(seq=seq, state=states[step]))
        told_doomed |= {one.step for one in schedule.take_doomed()}
    planned = {step for step, state in states.items() if state == "planned"}
    ready = {step for demand in ("code", "docs") for step in schedule.ready_steps(demand)}
    assert ready == {step for step in planned if verdict(schedule.tasks[step], states) == "ready"}
    assert told_doomed & planned == {
        step for step in planned if verdict(schedule.tasks[step], states) == "doomed"
    }
    assert set(schedule.queued_steps()) == {step for step, state in states.items() if state == "queued"}
    assert schedule.running == {step for step, state in states.items() if state == "running"}
    assert schedule.finished == all(state in ENDED for state in states.values())


@given(plans(), st.data())
def test_no_plan_gets_stuck_and_every_task_ends_once(the_plan: Plan, data: st.DataObject) -> None:
    schedule = Schedule(the_plan)
    ends: list[str] = []
    for _ in range(3 * len(schedule.tasks) + 1):
        if schedule.finished:
            break
        for one in schedule.take_doomed():
            ended(schedule, one.step, one.state)
            ends.append(one.step)
        for demand in ("code", "docs"):
            for step in schedule.take_ready(demand, data.draw(st.integers(1, 3))):
                schedule.observe(step, TaskHead(seq=1, state="queued"))
                schedule.observe(step, TaskHead(seq=2, state="running"))
                ended(schedule, step, data.draw(st.sampled_from(ENDED)))
                ends.append(step)
    assert schedule.finished
    assert sorted(ends) == sorted(schedule.tasks)


@given(plans(), st.permutations(range(7)))
def test_the_order_in_which_ends_are_heard_does_not_matter(the_plan: Plan, order: list[int]) -> None:
    def play(steps: list[str]) -> tuple[dict[str, TaskHead], int, bool]:
        schedule = Schedule(the_plan)
        for step in steps:
            schedule.observe(step, TaskHead(seq=9, state="done"), Result(summary=step))
        return schedule.heads, len(schedule.results), schedule.finished

    steps = [one.step for one in the_plan.tasks]
    assert play(steps) == play([steps[i] for i in order if i < len(steps)])
