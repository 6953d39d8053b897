"""Large bodies travel as artifacts: requests, plans, inputs, results; small ones do not."""

import hashlib

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.errors import SwarmError, UsageError
from picoclaw.swarm.bodies import INLINE_LIMIT
from picoclaw.swarm.entries import Accepted, Dead, Done, Failed, Planned
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.submission import new_request, submit
from picoclaw.tests.support.executors import Gate, Runs, executors, returning
from picoclaw.tests.support.swarm import (
    Lab,
    ask,
    end_of,
    entries,
    kinds,
    play_task,
    report_of,
    step,
    template,
)
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

LARGE = "x" * (2 * INLINE_LIMIT)
HUGE = "y" * 3_000_000
"""More than a NATS message may hold."""


async def test_a_large_request_arrives_whole(lab: Lab) -> None:
    seen: list[str] = []

    async def read(task: QueuedTask, context: Context) -> Result:
        seen.append(str(task.task.input["text"]))
        return Result(summary=str(len(task.text)))

    await lab.coordinator()
    await lab.worker(executors(Runs(do=read)))
    swarm = await lab.door()
    request = await ask(swarm, HUGE, demand="noop")
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    assert seen == [HUGE]
    accepted, planned, _ = await entries(swarm, request)
    assert isinstance(accepted, Accepted)
    assert isinstance(planned, Planned)
    assert accepted.request.ref is not None
    assert len(accepted.request.text) == 200, "people see its beginning"
    assert planned.ref is not None


async def test_a_large_request_sent_twice_with_one_key_is_sent_once(lab: Lab) -> None:
    swarm = await lab.door()
    request = new_request(LARGE, key="k", demand="noop")
    assert await submit(swarm, request)
    assert not await submit(swarm, request)
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    await end_of(swarm, request.id)
    assert not await submit(swarm, request)


async def test_large_results_go_down_to_dependents_and_into_the_report(lab: Lab) -> None:
    sizes: list[int] = []

    async def count(task: QueuedTask, context: Context) -> Result:
        sizes.append(sum(len(str(result.data)) for result in task.inputs.values()))
        return Result(summary="counted", data=sizes[-1])

    plan = template(
        "plan",
        step("a", "big"),
        step("b", "big"),
        step("c", "count", after=("a", "b")),
    )
    await lab.coordinator(plan)
    await lab.worker(
        executors(Runs("big", do=returning(Result(summary="big", data=HUGE))), Runs("count", do=count))
    )
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    ended = await end_of(swarm, request)
    assert (ended.head.state, ended.head.partial) == ("done", False)
    assert sizes == [2 * len(HUGE)]
    done = (await entries(swarm, request, "a"))[-1]
    assert isinstance(done, Done)
    assert done.result.ref is not None
    assert done.result.data is None
    by_step = {task["step"]: task for task in report_of(ended)["tasks"]}
    assert by_step["a"]["data"] == HUGE
    assert by_step["c"]["data"] == 2 * len(HUGE)


async def test_a_large_plan_is_run_whole(lab: Lab) -> None:
    plan = template("plan", *(step(f"t{n}", input={"pad": "z" * 4000}) for n in range(60)))
    runs = Runs()
    await lab.coordinator(plan)
    await lab.worker(executors(runs), slots=20)
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    assert (await end_of(swarm, request)).head.state == "done"
    assert len(runs.tasks) == 60
    planned = (await entries(swarm, request))[1]
    assert isinstance(planned, Planned)
    assert planned.plan is None
    assert planned.ref is not None


async def test_a_body_that_is_gone_costs_attempts_and_ends_dead_in_words(lab: Lab) -> None:
    swarm = await lab.door()
    ref = await swarm.artifacts.put(b"{}", media_type="application/json")
    await swarm.artifacts.delete(ref.name)
    runs = Runs()
    await lab.worker(executors(runs))
    task = await play_task(swarm, publish=False, max_attempts=1)
    await swarm.queue.publish(task.queued.model_copy(update={"ref": ref}))
    *_, dead = await task.until("queued", "started", "dead")
    assert isinstance(dead, Dead)
    assert "is gone" in dead.error
    assert runs.tasks == []


async def test_a_request_over_the_limit_of_bodies_is_refused_in_words(lab: Lab) -> None:
    swarm = await lab.door()
    request = new_request("small", demand="noop", input={"body": "x" * 50_000_000})
    with pytest.raises(UsageError, match="the request has 50 MB, the limit is 34 MB"):
        await submit(swarm, request)
    assert await kinds(swarm, request.id) == []


async def test_a_result_over_the_limit_of_bodies_fails_in_words(lab: Lab) -> None:
    worker = await lab.worker(executors(Runs(do=returning(Result(summary="vast", data="v" * 50_000_000)))))
    swarm = await lab.door()
    task = await play_task(swarm)
    *_, failed = await task.until("queued", "started", "failed")
    assert isinstance(failed, Failed)
    assert "its result is refused: it has 50 MB, the limit is 34 MB" in failed.error
    assert not worker.task.done()


# --- the store ---


async def test_a_body_is_stored_once_under_its_digest(lab: Lab) -> None:
    swarm = await lab.door()
    first = await swarm.artifacts.put(b"body", media_type="text/plain", filename="a.txt")
    again = await swarm.artifacts.put(b"body", media_type="text/plain", filename="a.txt")
    assert first == again
    assert first.name == first.digest == hashlib.sha256(b"body").hexdigest()
    assert await swarm.artifacts.get(first) == b"body"
    info = await swarm.wire.api(f"STREAM.INFO.OBJ_{swarm.names.artifacts}")
    assert info["state"]["messages"] == 2, "one chunk and its record"


async def test_a_damaged_body_is_refused(lab: Lab) -> None:
    swarm = await lab.door()
    ref = await swarm.artifacts.put(b"body", media_type="text/plain")
    with pytest.raises(SwarmError, match="does not match its digest"):
        await swarm.artifacts.get(ref.model_copy(update={"digest": "0" * 64}))


async def test_a_body_that_was_never_stored_is_named(lab: Lab) -> None:
    swarm = await lab.door()
    ref = await swarm.artifacts.put(b"body", media_type="text/plain")
    with pytest.raises(SwarmError, match="artifact nowhere is gone: it has expired, send the request again"):
        await swarm.artifacts.get(ref.model_copy(update={"name": "nowhere"}))


async def test_a_request_whose_body_is_gone_ends_and_says_so(lab: Lab) -> None:
    swarm = await lab.door()
    request = await ask(swarm, LARGE, demand="noop")
    waiting = await swarm.inbox.waiting(request)
    assert waiting is not None
    assert waiting.ref is not None
    await swarm.artifacts.delete(waiting.ref.name)
    await lab.coordinator()
    ended = await end_of(swarm, request)
    assert ended.head.state == "failed"
    assert "is gone: it has expired, send the request again" in ended.head.reason
    assert await kinds(swarm, request) == ["accepted", "failed"]


async def test_a_request_whose_plan_is_gone_when_its_coordinator_dies_ends_with_its_tasks(lab: Lab) -> None:
    plan = template("plan", *(step(f"t{n}", input={"pad": "z" * 4000}) for n in range(60)))
    first = await lab.coordinator(plan, name="first")
    runs = Runs(do=Gate())
    await lab.worker(executors(runs), slots=1)
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    await runs.next()
    planned = (await entries(swarm, request))[1]
    assert isinstance(planned, Planned)
    assert planned.ref is not None
    await swarm.artifacts.delete(planned.ref.name)
    await first.crash()
    await lab.coordinator(plan, name="second")
    ended = await end_of(swarm, request)
    assert ended.head.state == "failed"
    assert "is gone" in ended.head.reason
    begun = [key for key in await swarm.log.heads(request) if key[1] != "_"]
    assert begun
    for _, name in begun:
        assert (await kinds(swarm, request, name))[-1] == "failed"
    await wait_for_async(lambda: bool(runs.cancelled))
