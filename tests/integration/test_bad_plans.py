"""A plan that cannot be run ends its request in one line; nothing of it is released, the swarm goes on."""

import pytest

from picoclaw.roles.planning.template import Template
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of, in_queue, kinds, step, template

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

BAD: dict[str, tuple[Template, tuple[str, ...]]] = {
    "a cycle": (
        template("bad", step("a", after=("c",)), step("b", after=("a",)), step("c", after=("b",))),
        ("cycle", "a → b → c → a"),
    ),
    "a task that waits for itself": (
        template("bad", step("good"), step("a", after=("a",))),
        ("cycle", "a → a"),
    ),
    "a dependency that is no step": (template("bad", step("a", after=("nobody",))), ("'a'", "'nobody'")),
    "a step that is there twice": (template("bad", step("a"), step("a")), ("'a'", "more than once")),
    "a capability with a wildcard": (template("bad", step("good"), step("a", "co*de")), ("'a'", "'co*de'")),
    "a capability with a line break": (template("bad", step("a", "co\nde")), ("'a'", r"'co\nde'")),
    "a capability that marks a role": (template("bad", step("a", "scheduling")), ("'a'", "'scheduling'")),
    "a join that does not exist": (template("bad", step("a"), join="glue"), ("'glue'", "plain")),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_plan_with(lab: Lab, what: str) -> None:
    bad, says = BAD[what]
    runs = Runs("noop")
    coordinator = await lab.coordinator(bad)
    await lab.worker(executors(runs))
    door = await lab.door()

    request = await ask(door, template="bad")
    ended = await end_of(door, request)

    assert ended.head.state == "failed"
    assert ended.head.reason.startswith("plan: ")
    assert "\n" not in ended.head.reason
    for words in says:
        assert words in ended.head.reason
    assert [await kinds(door, request, one.step) for one in bad.tasks] == [[]] * len(bad.tasks)
    assert await in_queue(door) == 0
    assert (await end_of(door, await ask(door, demand="noop"))).head.state == "done"
    assert not coordinator.task.done()
    assert len(runs.tasks) == 1


async def test_a_plan_with_an_unknown_capability_waits_or_fails_and_names_the_nearest(lab: Lab) -> None:
    await lab.coordinator(template("bad", step("a", "nopo", unroutable="fail", grace_s=0.2), step("good")))
    await lab.worker(executors(Runs("noop")), name="hand")
    door = await lab.door()

    ended = await end_of(door, await ask(door, template="bad"))

    assert (ended.head.state, ended.head.partial) == ("done", True)
    assert ended.result is not None
    report = str(ended.result.data)
    assert "no node offers nopo (did you mean noop?); nearest: hand (lacks capability nopo)" in report
