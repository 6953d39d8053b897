"""Handed back: an agent gets what the task returned that it handed on, with its type and what it stored."""

import pytest

from picoclaw.roles.agents.handed_back import brought_by
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.roles.synthesis.plain import join_plain
from picoclaw.swarm.records import ArtifactRef, Plan, Request, Result
from picoclaw.tests.support.examples import EXAMPLES

pytestmark = pytest.mark.unit

PATCH = ArtifactRef(
    name="a" * 64, size=3, digest="a" * 64, media_type="text/x-diff", filename="changes.patch"
)


def report(*results: Result) -> Result:
    """What a request with one task for each of the results ends with."""
    plan, request = EXAMPLES["plan"], EXAMPLES["request"]
    assert isinstance(plan, Plan)
    assert isinstance(request, Request)
    outcomes = [
        Outcome(step=f"t{number}", title="T", demand="d", state="done", result=result)
        for number, result in enumerate(results)
    ]
    joined = join_plain(plan, request, outcomes)
    return Result(summary=joined.summary, data={"markdown": joined.markdown, "data": joined.data})


def test_of_one_task_it_is_that_tasks_result() -> None:
    own = Result(summary="first line\nsecond line", data={"errors": 2}, artifacts=(PATCH,))
    brought = brought_by(report(own))
    assert (brought.summary, brought.data, brought.artifacts) == (own.summary, own.data, own.artifacts)


def test_of_several_it_is_the_text_once_and_what_all_of_them_stored() -> None:
    brought = brought_by(report(Result(summary="one", artifacts=(PATCH,)), Result(summary="two", data=[1])))
    assert "> one" in brought.summary
    assert "> two" in brought.summary
    assert brought.data is None
    assert brought.artifacts == (PATCH,)


def test_a_report_in_another_form_stays_as_it_is() -> None:
    assert brought_by(Result(summary="s", data=[1])) == Result(summary="s", data=[1])
    odd = Result(summary="s", data={"markdown": "m", "data": {"tasks": [{"artifacts": [{"name": 3}]}]}})
    assert brought_by(odd).artifacts == ()
    step = brought_by(Result(summary="s", data={"markdown": "m", "data": {"sum": 3}}))
    assert (step.summary, step.data) == ("m", {"sum": 3})
