"""A plan's tasks: results go down, failures too, and the join says honestly what is missing."""

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.errors import FinalError, SwarmError
from picoclaw.roles.ledger import Ledger
from picoclaw.roles.planning.plan import make_plan
from picoclaw.swarm.entries import Accepted, Cancelled, Failed, Planned
from picoclaw.swarm.records import ArtifactRef, QueuedTask, Result
from picoclaw.swarm.submission import new_request
from picoclaw.tests.support.executors import Runs, executors, raising, returning
from picoclaw.tests.support.swarm import Lab, ask, end_of, entries, kinds, report_of, step, template

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def test_results_are_inputs_of_what_depends_on_them(lab: Lab) -> None:
    async def count(task: QueuedTask, context: Context) -> Result:
        below = sum(int(str(result.data)) for result in task.inputs.values())
        return Result(summary=f"{task.task.step}: {sorted(task.inputs)}", data=below + 1)

    runs = Runs("count", do=count)
    diamond = template(
        "diamond",
        step("top", "count"),
        step("left", "count", after=("top",)),
        step("right", "count", after=("top",)),
        step("bottom", "count", after=("left", "right")),
    )
    await lab.coordinator(diamond)
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, template="diamond")
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    by_step = {task["step"]: task for task in report_of(ended)["tasks"]}
    assert {name: task["data"] for name, task in by_step.items()} == {
        "top": 1,
        "left": 2,
        "right": 2,
        "bottom": 5,
    }
    assert by_step["bottom"]["summary"] == "bottom: ['left', 'right']"
    order = [task.partition(".")[2] for task in runs.tasks]
    assert order[0] == "top"
    assert order[-1] == "bottom"


async def test_a_failed_task_fails_what_depends_on_it_and_the_rest_goes_on_to_done_partial(lab: Lab) -> None:
    runs, bad = Runs(), Runs("bad", do=raising(FinalError("broken")))
    plan = template(
        "plan",
        step("bad", "bad"),
        step("next", after=("bad",)),
        step("last", after=("next",)),
        step("good"),
    )
    await lab.coordinator(plan)
    await lab.worker(executors(runs, bad))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    ended = await end_of(swarm, request)
    assert (ended.head.state, ended.head.partial) == ("done", True)
    for name, why in (("next", "bad ended failed"), ("last", "next ended failed")):
        (only,) = await entries(swarm, request, name)
        assert isinstance(only, Failed)
        assert (only.reason, only.error) == ("dependency", why)
    assert runs.tasks == [f"{request}.good"]
    missing = "\n".join(report_of(ended)["missing"])
    assert "bad: " in missing
    assert "broken" in missing
    assert "last: " in missing


async def test_results_that_no_memory_holds_together_are_named_and_the_report_has_the_others(
    lab: Lab,
) -> None:
    large = ArtifactRef(name="0" * 64, size=2**30, digest="0" * 64)
    await lab.coordinator(template("plan", step("large", "large"), step("small")))
    await lab.worker(executors(Runs("large", do=returning(Result(ref=large))), Runs()))
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, template="plan"))
    assert (ended.head.state, ended.head.partial) == ("done", True)
    (missing,) = report_of(ended)["missing"]
    assert missing == (
        "large: its result cannot be read: the results of one report have 64 MB together at most, and this is more"
    )


async def test_a_skipped_task_cancels_what_depends_on_it(lab: Lab) -> None:
    plan = template(
        "plan",
        step("absent", "absent", unroutable="skip", grace_s=0),
        step("next", after=("absent",)),
        step("good"),
    )
    await lab.coordinator(plan)
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    ended = await end_of(swarm, request)
    assert (ended.head.state, ended.head.partial) == ("done", True)
    (skipped,) = await entries(swarm, request, "absent")
    assert isinstance(skipped, Cancelled)
    assert skipped.reason == "skipped"
    assert skipped.why.startswith("no node offers absent")
    (dependent,) = await entries(swarm, request, "next")
    assert isinstance(dependent, Cancelled)
    assert (dependent.reason, dependent.why) == ("dependency", "absent ended cancelled")


async def test_a_task_that_needs_its_upstream_only_settled_runs_with_what_there_is(lab: Lab) -> None:
    async def join(task: QueuedTask, context: Context) -> Result:
        return Result(summary=f"joined {sorted(task.inputs)}")

    runs, bad = Runs(), Runs("bad", do=raising(FinalError("broken")))
    plan = template(
        "plan", step("bad", "bad"), step("good"), step("join", "join", after=("bad", "good"), needs="settled")
    )
    await lab.coordinator(plan)
    await lab.worker(executors(runs, bad, Runs("join", do=join)))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    ended = await end_of(swarm, request)
    assert await kinds(swarm, request, "join") == ["queued", "started", "done"]
    by_step = {task["step"]: task for task in report_of(ended)["tasks"]}
    assert by_step["join"]["summary"] == "joined ['good']"


async def test_a_request_of_which_nothing_was_done_fails_with_the_first_reason(lab: Lab) -> None:
    plan = template("plan", step("a", "bad"), step("b", after=("a",)))
    await lab.coordinator(plan)
    await lab.worker(executors(Runs("bad", do=raising(FinalError("broken")))))
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, template="plan"))
    assert ended.head.state == "failed"
    assert "a failed: broken" in ended.head.reason
    assert ended.result is not None, "with a report of what there is"


async def test_attempts_that_a_request_allows_go_before_the_plans(lab: Lab) -> None:
    bad = Runs("bad", do=raising(ValueError("odd")))
    await lab.coordinator(template("plan", step("a", "bad", max_attempts=5)))
    await lab.worker(executors(bad))
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, template="plan", max_attempts=1))
    assert ended.head.state == "failed"
    assert "a dead: ValueError: odd" in ended.head.reason
    assert len(bad.tasks) == 1


async def test_a_plan_that_a_broken_link_kept_back_is_the_only_one_however_late_it_comes(lab: Lab) -> None:
    swarm = await lab.door()
    me, request = swarm.me, new_request("once", demand="noop")
    accepted = Accepted(by=me.node, owner=me.node, run=me.run, request=request)
    seq = await swarm.log.append(request.id, "_", accepted, expected=0)
    ledger = Ledger(swarm, request.id)
    await ledger.load()
    plan = make_plan(request, ())
    late, second = (Planned(by=me.node, owner=me.node, run=me.run, plan=plan) for _ in range(2))
    await swarm.log.append(request.id, "_", late, expected=seq)
    with pytest.raises(SwarmError, match="has a plan already"):
        await ledger.append_request(second)
    assert [entry.id for entry in await entries(swarm, request.id)] == [accepted.id, late.id]
