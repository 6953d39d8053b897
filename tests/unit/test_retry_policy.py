"""Retry policies: what request, plan and capability say, merged; which errors are final."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.errors import UsageError
from picoclaw.gateway.retry_policy import retry_of
from picoclaw.roles.planning.plan import make_plan
from picoclaw.roles.planning.template import Template
from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import Delivery, Request, Retry, Task
from picoclaw.swarm.retry_policy import fits, merge, of_task, policy_of
from picoclaw.swarm.rules import (
    Bury,
    HolderEvidence,
    Requeue,
    Start,
    on_delivery,
    on_failure,
    on_lost_holder,
)
from picoclaw.swarm.submission import new_request

pytestmark = pytest.mark.unit

TASK = Task(step="t", demand="code")
GONE = HolderEvidence(run_dead=True, may_declare=True)


def request(**more: object) -> Request:
    return new_request("hello", demand="code").model_copy(update=more)


def test_nothing_said_is_three_attempts_one_second_doubling_to_five_minutes() -> None:
    policy = policy_of(of_task(request(), TASK), None)
    assert of_task(request(), TASK).max_attempts == 3
    assert (policy.attempts, policy.final) == (None, ())
    pauses = [policy.pause(attempt).total_seconds() for attempt in (1, 2, 3, 8, 9, 10, 99)]
    assert pauses == [1, 2, 4, 128, 256, 300, 300]


def test_the_request_goes_before_the_task_and_that_before_the_capability() -> None:
    task = TASK.model_copy(update={"retry": Retry(first_s=2, longest_s=20, final=("a",))})
    kind = Retry(attempts=7, first_s=3, longest_s=30, final=("b",))
    whole = of_task(request(retry=Retry(first_s=1, final=("c",))), task)
    policy = policy_of(whole, kind)
    assert (policy.first, policy.longest) == (timedelta(seconds=1), timedelta(seconds=20))
    assert policy.attempts == 7
    assert policy.final == ("c", "a", "b")


@pytest.mark.parametrize(
    ("asked", "planned", "limit"),
    [
        ({"max_attempts": 2}, {"retry": Retry(attempts=5), "max_attempts": 5}, 2),
        ({"retry": Retry(attempts=4)}, {"retry": Retry(attempts=5), "max_attempts": 5}, 4),
        ({}, {"retry": Retry(attempts=5), "max_attempts": 3}, 5),
    ],
)
def test_a_limit_that_is_named_goes_before_the_capabilitys(
    asked: dict[str, object], planned: dict[str, object], limit: int
) -> None:
    task = of_task(request(**asked), TASK.model_copy(update=planned))
    assert task.max_attempts == limit
    assert policy_of(task, Retry(attempts=9)).attempts is None


def test_a_long_first_pause_is_not_cut_by_a_limit_that_nobody_set() -> None:
    task = TASK.model_copy(update={"retry": Retry(first_s=600)})
    assert policy_of(task, None).pause(1) == timedelta(minutes=10)
    short = policy_of(task, Retry(longest_s=60))
    assert short.pause(1) == timedelta(minutes=1)


def test_no_pause_at_all_stays_none() -> None:
    policy = policy_of(TASK.model_copy(update={"retry": Retry(first_s=0)}), None)
    assert [policy.pause(attempt) for attempt in (1, 50)] == [timedelta(0)] * 2


retries = st.one_of(
    st.none(),
    st.builds(
        Retry,
        attempts=st.none() | st.integers(1, 100),
        first_s=st.none() | st.floats(0, 86_400),
        longest_s=st.none() | st.floats(0, 86_400),
        final=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
    ),
)


@given(retries, retries, retries)
def test_merging_does_not_depend_on_what_is_merged_first(
    a: Retry | None, b: Retry | None, c: Retry | None
) -> None:
    def plain(said: Retry | None) -> Retry:
        return (said or Retry()).model_copy(update={"final": tuple(dict.fromkeys((said or Retry()).final))})

    assert plain(merge(merge(a, b), c)) == plain(merge(a, merge(b, c)))


# --- which errors are final ---


@pytest.mark.parametrize(
    ("pattern", "error", "fitting"),
    [
        ("*no such file*", "mine: exit code 2: NO SUCH\n  FILE: a.txt", True),
        ("no such file", "mine: exit code 2: No such file: a.txt", True),
        ("mine: exit code ?:*", "mine: exit code 2: x", True),
        ("mine: exit code ?:*", "mine: exit code 22: x", False),
        ("*[Errno 2]*", "OSError: [Errno 2] gone", True),
        ("*[Errno 2]*", "anything with an e", False),
        ("no such*", "mine: no such file", False),
        ("*" * 400 + "x", "a" * 4000, False),
        ("*a" * 250, "a" * 4000 + "b", False),
    ],
)
def test_a_pattern_fits_the_whole_error_in_one_line_whatever_its_case(
    pattern: str, error: str, fitting: bool
) -> None:
    assert fits(pattern, error) is fitting


# --- one limit for worker and owner ---


def head(attempt: int, limit: int | None) -> TaskHead:
    delivery = Delivery(seq=1, count=1)
    return TaskHead(
        seq=9, state="running", attempt=attempt, limit=limit, node="n", run="r", delivery=delivery
    )


@pytest.mark.parametrize(
    ("limit", "attempt", "more"), [(1, 1, False), (5, 4, True), (5, 5, False), (None, 2, True)]
)
def test_what_the_capability_allows_stands_in_the_log_and_holds_for_everybody(
    limit: int | None, attempt: int, more: bool
) -> None:
    running = head(attempt, limit)
    lost = on_lost_holder(running, GONE, max_attempts=3)
    failed = on_failure(running, max_attempts=3)
    again = on_delivery(running, Delivery(seq=1, count=2), GONE, max_attempts=3, now=0.0)
    assert isinstance(lost, Requeue if more else Bury)
    assert isinstance(failed, Requeue if more else Bury)
    assert isinstance(again, Start if more else Bury)


# --- planning ---


def test_a_template_says_it_for_all_tasks_and_for_one() -> None:
    template = Template.model_validate(
        {
            "name": "mine",
            "defaults": {"max_attempts": 4, "deadline_s": 60, "retry": {"delay_s": 2, "final": "a"}},
            "tasks": [
                {"step": "one", "demand": "code"},
                {
                    "step": "two",
                    "demand": "code",
                    "deadline_s": 5,
                    "retry": {"attempts": 2, "delay_s": 0, "longest_s": 9, "final": ["b"]},
                },
            ],
        }
    )
    one, two = make_plan(request(demand=None, template="mine"), [template]).tasks
    assert (one.max_attempts, one.deadline_s, one.retry) == (
        4,
        60,
        Retry(attempts=4, first_s=2, final=("a",)),
    )
    assert two.retry == Retry(attempts=2, first_s=0, longest_s=9, final=("b", "a"))
    assert (two.max_attempts, two.deadline_s) == (2, 5)
    asked = request(demand=None, template="mine", max_attempts=1, task_timeout_s=7.0, task_deadline_s=8.0)
    assert [
        (task.max_attempts, task.timeout_s, task.deadline_s) for task in make_plan(asked, [template]).tasks
    ] == [(1, 7, 8)] * 2


def test_a_template_that_says_nothing_leaves_it_to_the_capability() -> None:
    template = Template.model_validate({"name": "mine", "tasks": [{"step": "one", "demand": "code"}]})
    (task,) = make_plan(request(demand=None, template="mine"), [template]).tasks
    assert (task.max_attempts, task.retry, task.deadline_s) == (3, None, None)
    assert policy_of(task, Retry(attempts=9)).attempts == 9


def test_a_dispatch_takes_its_limits_from_the_request() -> None:
    (task,) = make_plan(request(deadline_s=50.0, task_timeout_s=60.0, task_deadline_s=40.0), ()).tasks
    assert (task.timeout_s, task.deadline_s) == (50, 40)


# --- what a sender may say ---


def test_what_a_sender_says_becomes_a_policy() -> None:
    assert retry_of() is None
    said = retry_of(delay=timedelta(0), longest=timedelta(seconds=5), final=["x"])
    assert said == Retry(first_s=0, longest_s=5, final=("x",))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"delay": timedelta(days=2)}, "the retry delay is out of range"),
        ({"longest": timedelta(seconds=-1)}, "the longest retry delay is out of range"),
        ({"delay": timedelta(seconds=5), "longest": timedelta(seconds=1)}, "below the first one"),
        ({"final": [" "]}, "is none: give a text"),
        ({"final": ["\udcff"]}, "is none: give a text"),
        ({"final": ["x" * 501]}, "is none: give a text"),
        ({"final": ["x"] * 51}, "too many"),
    ],
)
def test_what_is_no_policy_is_refused_in_words(told: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        retry_of(**told)  # type: ignore[arg-type]
