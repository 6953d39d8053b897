"""Which tasks run again: all that are not done, or some of them with what waits for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.errors import PlanError
from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import Plan, Task
from picoclaw.swarm.repeating import steps_to_run

pytestmark = pytest.mark.unit


def plan(**after: str) -> Plan:
    return Plan(
        tasks=tuple(
            Task(
                step=step,
                demand="code",
                after=tuple(name for name in waits.removeprefix("~").split() if name),
                needs="settled" if waits.startswith("~") else "all",
            )
            for step, waits in after.items()
        )
    )


def heads(**states: str) -> dict[str, TaskHead]:
    return {step: TaskHead(seq=1, state=state) for step, state in states.items()}  # type: ignore[arg-type]


PLAN = plan(a="", b="a", c="b", d="~b", e="")
ENDED = heads(a="dead", b="failed", c="failed", d="done", e="failed")


@pytest.mark.parametrize(
    ("steps", "running"),
    [((), "abce"), (("a",), "abc"), (("e",), "e"), (("a", "e"), "abce"), (("a", "b"), "abc")],
)
def test_what_runs_again(steps: tuple[str, ...], running: str) -> None:
    assert steps_to_run(PLAN, ENDED, steps) == set(running)


def test_what_waits_for_another_that_stays_undone_does_not_follow() -> None:
    two = plan(a="", x="", both="a x", late="~a x")
    found = steps_to_run(two, heads(a="dead", x="failed", both="failed", late="failed"), ["a"])
    assert found == {"a", "late"}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (("nowhere",), "no task 'nowhere'"),
        (("d",), "d is done"),
        (("b",), "b waits for a, which ended dead: run a again, and it follows"),
    ],
)
def test_what_cannot_run_again_is_refused_in_words(steps: tuple[str, ...], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        steps_to_run(PLAN, ENDED, steps)


def test_nothing_to_do_is_refused() -> None:
    with pytest.raises(PlanError, match="nothing to run again"):
        steps_to_run(plan(a=""), heads(a="done"))


STATES = ("done", "failed", "dead", "cancelled")


@given(st.data())
def test_no_task_that_is_done_runs_again_and_none_that_runs_waits_for_one_that_does_not(
    data: st.DataObject,
) -> None:
    number = data.draw(st.integers(1, 8))
    tasks = []
    for step in range(number):
        after = data.draw(st.lists(st.integers(0, step - 1), unique=True, max_size=3)) if step else []
        needs = data.draw(st.sampled_from(("all", "settled")))
        tasks.append(Task(step=f"s{step}", demand="code", after=tuple(f"s{n}" for n in after), needs=needs))
    whole = Plan(tasks=tuple(tasks))
    ended = heads(**{task.step: data.draw(st.sampled_from(STATES)) for task in tasks})
    steps = data.draw(st.lists(st.sampled_from([task.step for task in tasks]), unique=True, max_size=3))
    try:
        running = steps_to_run(whole, ended, steps)
    except PlanError:
        return
    assert running
    assert set(steps) <= running
    assert all(ended[step].state != "done" for step in running)
    if steps:
        for task in tasks:
            if task.step in running and task.needs == "all":
                assert all(ended[name].state == "done" or name in running for name in task.after)
