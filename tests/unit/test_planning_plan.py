"""Plans without a model: a dispatch, a template, and what a request is told that fits neither."""

import pytest

from picoclaw.errors import PlanError
from picoclaw.roles.planning.plan import TITLE_LENGTH, make_plan, title_of
from picoclaw.roles.planning.template import read_template, shipped_templates
from picoclaw.roles.planning.validate import validate
from picoclaw.swarm.records import RepositoryRef, Request

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

REPOSITORY = RepositoryRef(label="demo")
SHIPPED = shipped_templates()


def test_a_dispatch_is_one_task_that_carries_the_limits_of_its_request() -> None:
    request = Request(
        id="r-1",
        key_digest="0",
        text="\n  Do it now\nwith care",
        demand="Audit@region=eu",
        repository=REPOSITORY,
        deadline_s=90,
        max_attempts=5,
        unroutable="fail",
        input={"depth": 2},
    )
    plan = validate(make_plan(request, SHIPPED))
    (task,) = plan.tasks
    assert (task.step, task.title, task.demand) == ("task", "Do it now", "security@region=eu")
    assert task.repository == REPOSITORY
    assert (task.timeout_s, task.max_attempts, task.unroutable) == (90, 5, "fail")
    assert task.input == {"text": request.text, "depth": 2}
    assert (plan.join, plan.template) == ("plain", None)


def test_a_dispatch_with_no_limits_waits_and_tries_three_times() -> None:
    (task,) = make_plan(Request(id="r", key_digest="0", text="x", demand="code"), SHIPPED).tasks
    assert (task.timeout_s, task.max_attempts, task.unroutable, task.repository) == (None, 3, "wait", None)


def test_a_review_is_planned_from_the_template() -> None:
    request = Request(id="r", key_digest="0", text="Review this", repository=REPOSITORY)
    plan = validate(make_plan(request, SHIPPED))
    assert plan.template == plan.join == "code-review"
    assert [task.step for task in plan.tasks] == ["code", "security", "docs", "testing"]
    assert all(task.repository == REPOSITORY for task in plan.tasks)
    assert all(task.unroutable == "skip" and task.grace_s == 5 for task in plan.tasks)
    assert plan == validate(make_plan(request, shipped_templates()))


def test_what_the_request_says_goes_before_the_template() -> None:
    request = Request(
        id="r", key_digest="0", text="Review this", repository=REPOSITORY,
        unroutable="wait", max_attempts=1, deadline_s=30,
    )  # fmt: skip
    for task in make_plan(request, SHIPPED).tasks:
        assert (task.unroutable, task.max_attempts, task.timeout_s) == ("wait", 1, 30)


def test_a_deadline_does_not_lengthen_a_templates_time_out() -> None:
    request = Request(id="r", key_digest="0", text="Review this", repository=REPOSITORY, deadline_s=86_400)
    assert [task.timeout_s for task in make_plan(request, SHIPPED).tasks] == [600, 600, 300, 300]


def test_a_template_task_may_leave_the_repository_out_and_set_all_else() -> None:
    template = read_template(
        """
name: mine
tasks:
  - {step: a, demand: "docs+code", repository: false, input: {k: 1}, priority: 3}
  - {step: b, title: Last, demand: code, after: [a], needs: settled, grace_s: 0, timeout_s: 7, max_attempts: 9,
     unroutable: local}
""",
        "mine.yaml",
    )
    request = Request(
        id="r", key_digest="0", text="go", repository=REPOSITORY, template="mine", input={"k": 0}
    )
    first, last = validate(make_plan(request, [template])).tasks
    assert (first.repository, first.priority, first.demand, first.title) == (None, 3, "code+docs", "a")
    assert first.input == {"text": "go", "k": 1}
    assert last.repository == REPOSITORY
    assert (last.after, last.needs, last.grace_s, last.timeout_s) == (("a",), "settled", 0, 7)
    assert (last.max_attempts, last.unroutable, last.title) == (9, "local", "Last")


def test_a_request_that_fits_nothing_is_told_what_would_make_it_work() -> None:
    request = Request(id="r", key_digest="0", text="Write a poem\nabout NATS")
    with pytest.raises(PlanError) as caught:
        make_plan(request, SHIPPED)
    message = str(caught.value)
    assert "'Write a poem'" in message
    assert "no model is configured" in message
    assert "--capability" in message
    assert "code-review" in message
    assert "\n" not in message


def test_a_model_that_is_set_and_cannot_be_asked_is_named() -> None:
    why = "model openai/gpt-5.5 needs a key: set OPENAI_API_KEY in the environment"
    for plan in (None, "model"):
        request = Request(id="r", key_digest="0", text="Write a poem", plan=plan)
        with pytest.raises(PlanError) as caught:
            make_plan(request, SHIPPED, (), why)
        assert why in str(caught.value)
        assert "configured" not in str(caught.value)


def test_a_review_without_a_repository_is_told_to_bring_one() -> None:
    with pytest.raises(PlanError, match="'code-review' would fit but needs a repository: add --repo"):
        make_plan(Request(id="r", key_digest="0", text="Review this repository"), SHIPPED)


def test_an_empty_request_is_refused_in_words() -> None:
    with pytest.raises(PlanError, match="empty request"):
        make_plan(Request(id="r", key_digest="0", text=" \n "), ())


def test_a_capability_and_a_template_together_contradict_each_other() -> None:
    with pytest.raises(PlanError, match="give one of them"):
        make_plan(Request(id="r", key_digest="0", text="x", demand="code", template="code-review"), SHIPPED)


def test_a_capability_that_cannot_be_carried_is_refused() -> None:
    with pytest.raises(PlanError, match=r"capability 'code\.\*' is not a valid name"):
        validate(make_plan(Request(id="r", key_digest="0", text="x", demand="code.*"), SHIPPED))


def test_a_title_is_one_short_printable_line() -> None:
    assert title_of("a\x1b[31mb") == "a [31mb"
    assert title_of("x" * 500) == "x" * (TITLE_LENGTH - 1) + "…"
    assert title_of("") == ""
