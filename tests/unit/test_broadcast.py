"""Broadcast: whom it asks, how many must answer, and what its report says; all without a swarm."""

from datetime import timedelta

import pytest

from picoclaw.errors import PlanError, UsageError
from picoclaw.gateway.broadcast import broadcast_of, read_quorum
from picoclaw.roles.planning.broadcast import steps_of
from picoclaw.roles.planning.plan import make_plan
from picoclaw.roles.planning.validate import validate
from picoclaw.roles.synthesis.join import join
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.roles.synthesis.quorum import check_quorum, needed, out_of_reach
from picoclaw.roles.synthesis.report import Report
from picoclaw.swarm.demand import Offer
from picoclaw.swarm.records import Broadcast, Plan, Request, Result, Task
from picoclaw.swarm.subjects import token

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]


def request(broadcast: Broadcast | None = None, demand: str | None = "code", **given: object) -> Request:
    told = {"id": "r-1", "key_digest": "0", "text": "Do it", "demand": demand, **given}
    return Request(broadcast=broadcast or Broadcast(), **told)


def offer(node: str, *capabilities: str, role: str = "worker", **labels: str) -> Offer:
    return Offer(node=node, role=role, capabilities=frozenset(capabilities), labels=labels)


def planned(asked: Request, *offers: Offer) -> Plan:
    return validate(make_plan(asked, (), offers))


# --- whom it asks ---


def test_each_node_that_meets_the_demand_gets_a_task_of_its_own() -> None:
    plan = planned(
        request(demand="code@site=berlin", max_attempts=2, input={"n": 1}),
        offer("w-2", "code", site="berlin"),
        offer("w-1", "python", site="berlin"),
        offer("elsewhere", "code", site="paris"),
        offer("other", "docs", site="berlin"),
        offer("lead", role="coordinator"),
    )

    assert [task.step for task in plan.tasks] == ["w-1", "w-2"]
    assert [task.demand for task in plan.tasks] == ["node:w-1", "node:w-2"]
    assert {task.capability for task in plan.tasks} == {"code"}
    assert {task.unroutable for task in plan.tasks} == {"fail"}
    assert {task.max_attempts for task in plan.tasks} == {2}
    assert plan.tasks[0].input == {"text": "Do it", "n": 1}


@pytest.mark.parametrize(
    ("within", "deadline", "longest"),
    [(None, None, None), (5.0, None, 5.0), (None, 9.0, 9.0), (5.0, 9.0, 5.0), (9.0, 5.0, 5.0)],
)
def test_no_attempt_outlives_the_wait_for_the_answers(
    within: float | None, deadline: float | None, longest: float | None
) -> None:
    plan = planned(request(Broadcast(within_s=within), deadline_s=deadline), offer("w", "code"))

    assert plan.tasks[0].timeout_s == longest


def test_the_request_s_own_policy_is_about_whom_to_ask_and_not_about_those_who_were() -> None:
    assert planned(request(unroutable="wait"), offer("w", "code")).tasks[0].unroutable == "fail"


def test_a_node_s_name_is_its_step_where_it_can_be_one() -> None:
    assert steps_of(["w-1", "Büro 7", "a.b", "_"]) == ["w-1", token("Büro 7"), token("a.b"), token("_")]


def test_two_nodes_never_share_a_step_whatever_they_are_called() -> None:
    assert steps_of([token("a.b"), "a.b"]) == [token("a.b"), "n" + token("a.b")]


def test_nodes_of_any_name_make_a_valid_plan() -> None:
    names = ["Büro 7", "a.b", "A", "x" * 64, "*", "w 1", "w_1"]
    plan = planned(request(), *(offer(name, "code") for name in names))
    assert [task.demand.removeprefix("node:") for task in plan.tasks] == sorted(names)


@pytest.mark.parametrize("demand", [None, "code+docs", "node:w-1", "agent:coder", "c#@@"])
def test_what_no_single_capability_tells_is_refused_in_words(demand: str | None) -> None:
    with pytest.raises(PlanError, match=r"broadcast (needs one capability|is refused)"):
        planned(request(demand=demand), offer("w-1", "code", "docs"))


def test_with_nobody_to_ask_it_says_what_the_nodes_lack() -> None:
    with pytest.raises(PlanError, match=r"no node offers code; nearest: w \(lacks capability code\)"):
        planned(request(), offer("w", "docs"))


def test_a_quorum_that_the_nodes_cannot_make_fails_at_once() -> None:
    with pytest.raises(PlanError, match="4 nodes were to answer and only 2 could be asked"):
        planned(request(Broadcast(quorum=4)), offer("a", "code"), offer("b", "code"))


# --- how many ---


@pytest.mark.parametrize(
    ("quorum", "asked", "wanted"),
    [
        (None, 5, 5), (3, 5, 3), ("majority", 5, 3), ("majority", 4, 3), ("majority", 1, 1),
        ("60%", 5, 3), ("61%", 5, 4), ("1%", 5, 1), ("100%", 5, 5), ("50%", 1, 1), ("99%", 100, 99),
    ],
)  # fmt: skip
def test_a_quorum_is_counted_of_the_nodes_asked(quorum: int | str | None, asked: int, wanted: int) -> None:
    assert needed(quorum, asked) == wanted
    check_quorum(quorum, asked)


@pytest.mark.parametrize(
    ("quorum", "answered", "still_open", "lost"),
    [
        (None, 0, 5, False), (None, 4, 1, False), (None, 3, 1, True), (3, 0, 3, False), (3, 0, 2, True),
        (3, 3, 0, False), (3, 2, 0, True), ("majority", 1, 2, False), ("majority", 1, 1, True),
    ],
)  # fmt: skip
def test_the_wait_is_over_once_the_quorum_is_out_of_reach(
    quorum: int | str | None, answered: int, still_open: int, lost: bool
) -> None:
    assert out_of_reach(quorum, asked=5, answered=answered, still_open=still_open) is lost


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (None, None), ("all", None), ("ALL", None), ("100%", None), (" majority ", "majority"), (2, 2), ("2", 2),
        ("60%", "60%"), ("060%", "60%"), ("1%", "1%"),
    ],
)  # fmt: skip
def test_a_quorum_is_read_in_each_of_its_forms(said: int | str | None, meant: int | str | None) -> None:
    assert read_quorum(said) == meant
    assert Broadcast.from_bytes(Broadcast(quorum=read_quorum(said)).to_bytes()).quorum == meant


@pytest.mark.parametrize(
    "said", ["", "0", 0, -1, "101%", "0%", "-5", "1.5", "half", "٣", "9" * 4300, True, "%", "5 %%"]
)
def test_a_quorum_that_is_none_is_refused(said: int | str) -> None:
    with pytest.raises(UsageError, match=r"quorum .* is none: give a number of nodes"):
        read_quorum(said)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"demand": None}, "needs one capability"),
        ({"demand": "code+docs"}, "needs one capability"),
        ({"demand": "node:w"}, "name a capability, and no node"),
        ({"demand": "code", "unroutable": "local"}, "does not go with a broadcast"),
        ({"demand": "code", "within": timedelta(0)}, "above zero"),
    ],
)
def test_what_does_not_go_with_a_broadcast_is_refused_by_the_door(
    given: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        broadcast_of(**{"quorum": None, "within": None, **given})  # type: ignore[arg-type]


# --- its report ---

PLAN = Plan(tasks=tuple(Task(step=f"w-{n}", demand=f"node:w-{n}", capability="code") for n in (1, 2, 3)))


def answered(number: int, **result: object) -> Outcome:
    brought = Result(**({"summary": f"I am {number}"} | result))
    step = f"w-{number}"
    return Outcome(step=step, demand=f"node:{step}", state="done", result=brought, node=step, seconds=0.5)


def silent(
    number: int, reason: str = "deadline: it did not answer within 5 s", state: str = "failed"
) -> Outcome:
    step = f"w-{number}"
    return Outcome(step=step, demand=f"node:{step}", state=state, reason=reason)  # type: ignore[arg-type]


def report(quorum: int | str | None, *outcomes: Outcome) -> Report:
    return join(PLAN, request(Broadcast(quorum=quorum)), outcomes)


def test_the_whole_report_reads_like_this() -> None:
    made = report(2, answered(1), silent(2), answered(3, summary="", data={"load": 0.5}))

    assert (
        made.markdown
        == """\
# Do it

**2 of 3 nodes answered (2 were needed).**

## Missing

- w-2: failed: deadline: it did not answer within 5 s

## w-1

done by w-1, 0.5 s

> I am 1

## w-3

done by w-3, 0.5 s

```json
{
  "load": 0.5
}
```
"""
    )
    assert (made.partial, made.failed) == (True, "")
    assert isinstance(made.data, dict)
    nodes = made.data.pop("nodes")
    assert isinstance(nodes, list)
    assert [node["node"] for node in nodes if isinstance(node, dict)] == ["w-1", "w-2", "w-3"]
    assert made.data == {
        "schema": "picoclaw.broadcast", "version": 1, "complete": False, "asked": 3, "answered": 2, "quorum": 2,
        "missing": ["w-2: failed: deadline: it did not answer within 5 s"],
    }  # fmt: skip


def test_every_node_answered() -> None:
    made = report(None, answered(1), answered(2), answered(3))
    assert (made.partial, made.failed, made.summary) == (False, "", "3 of 3 nodes answered")


@pytest.mark.parametrize(
    ("quorum", "failed"),
    [
        (1, ""),
        (2, "1 of 3 nodes answered, 2 were needed: w-2: it left the swarm before it answered; w-3: given up"),
        (
            None,
            "1 of 3 nodes answered, 3 were needed: w-2: it left the swarm before it answered; w-3: given up",
        ),
    ],
)
def test_too_few_answers_fail_it_and_say_who_did_not_and_why(quorum: int | None, failed: str) -> None:
    gone = silent(2, "unroutable: node w-2 is not online; nearest: w-1")
    made = report(quorum, answered(1), gone, silent(3, "exit 1", state="dead"))
    assert made.failed.startswith(failed)
    assert bool(made.failed) is bool(failed)
    assert made.partial


def test_who_was_let_go_is_named_after_who_failed() -> None:
    let_go = silent(1, "request: the quorum of 3 of 3 nodes could no longer be met", state="cancelled")
    made = report(None, let_go, silent(2, "error: no disk"), answered(3))
    assert made.failed.startswith(
        "1 of 3 nodes answered, 3 were needed: w-2: failed: error: no disk; w-1: cancelled"
    )


def test_a_thousand_silent_nodes_make_no_endless_error() -> None:
    tasks = tuple(Task(step=f"w-{n}", demand=f"node:w-{n}") for n in range(1000))
    outcomes = [silent(n, "error: " + "x" * 500) for n in range(1000)]
    made = join(Plan(tasks=tasks), request(), outcomes)
    assert len(made.failed) <= 2000
    assert len(made.summary) < 400
    assert made.failed.startswith("0 of 1000 nodes answered, 1000 were needed: w-0: ")


def test_what_a_node_says_cannot_break_out_of_its_section() -> None:
    made = report(None, answered(1, summary="# Gotcha\n\x1b[31mred"), answered(2), answered(3))
    assert "\x1b" not in made.markdown
    assert "\n# Gotcha" not in made.markdown
