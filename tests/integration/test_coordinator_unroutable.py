"""Work that no live node can serve: it waits and says why, or fails, is skipped, or runs here."""

import asyncio
import time
from datetime import timedelta

import pytest

from picoclaw.errors import FinalError
from picoclaw.swarm.entries import Cancelled, Failed, Started
from picoclaw.tests.support.executors import Gate, Runs, executors, raising
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import Lab, ask, end_of, entries, kinds, step, template

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def test_wait_waits_until_somebody_comes_who_serves_it(lab: Lab) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    request = await ask(swarm, demand="noop", unroutable="wait")
    await asyncio.sleep(0.8)
    assert await kinds(swarm, request, "task") == ["queued"]
    await lab.worker(executors(Runs()))
    assert (await end_of(swarm, request)).head.state == "done"


async def test_fail_fails_after_its_grace_and_names_what_is_near(lab: Lab) -> None:
    await lab.coordinator(template("plan", step("a", "noob", unroutable="fail", grace_s=1.0)))
    await lab.worker(executors(Runs()), name="w")
    swarm = await lab.door()
    before = time.monotonic()
    request = await ask(swarm, template="plan")
    ended = await end_of(swarm, request)
    assert time.monotonic() - before >= 1.0
    assert ended.head.state == "failed"
    (failed,) = await entries(swarm, request, "a")
    assert isinstance(failed, Failed)
    assert failed.reason == "unroutable"
    assert "no node offers noob (did you mean noop?)" in failed.error
    assert "w (lacks capability noob)" in failed.error


async def test_skip_cancels_after_its_grace(lab: Lab) -> None:
    await lab.coordinator(template("plan", step("a", "absent", unroutable="skip", grace_s=0.2), step("b")))
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    ended = await end_of(swarm, request)
    assert (ended.head.state, ended.head.partial) == ("done", True)
    (cancelled,) = await entries(swarm, request, "a")
    assert isinstance(cancelled, Cancelled)
    assert cancelled.reason == "skipped"


async def test_a_task_that_somebody_had_begun_is_not_skipped_before_its_node_can_be_restarted(
    lab: Lab,
) -> None:
    await lab.coordinator(
        template("plan", step("a", unroutable="skip", grace_s=0.1)), node_timeout=timedelta(seconds=8)
    )
    runs = Runs(do=Gate())
    first = await lab.worker(executors(runs), drain=timedelta(seconds=0))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    await runs.next()
    await first.stop()
    await asyncio.sleep(1)
    assert (await kinds(swarm, request, "a"))[-1] == "queued"
    await lab.worker(executors(Runs()))
    assert (await end_of(swarm, request)).head.state == "done"


async def test_within_the_grace_a_node_that_comes_still_gets_it(lab: Lab) -> None:
    await lab.coordinator(template("plan", step("a", unroutable="skip", grace_s=5)))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    await asyncio.sleep(0.3)
    await lab.worker(executors(Runs()))
    ended = await end_of(swarm, request)
    assert (ended.head.state, ended.head.partial) == ("done", False)


async def test_local_runs_on_the_coordinator_that_has_the_executor(lab: Lab) -> None:
    runs = Runs("rare")
    coordinator = await lab.coordinator(
        template("plan", step("a", "rare", unroutable="local", grace_s=0.2)),
        name="c",
        executors=executors(runs),
    )
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    ended = await end_of(swarm, request)
    assert ended.head.state == "done"
    started = [entry for entry in await entries(swarm, request, "a") if isinstance(entry, Started)]
    assert [(entry.node, entry.run, entry.demand) for entry in started] == [("c", coordinator.run, "node:c")]


async def test_local_without_an_executor_fails_in_words(lab: Lab) -> None:
    await lab.coordinator(template("plan", step("a", "rare", unroutable="local", grace_s=0.2)))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    await end_of(swarm, request)
    (failed,) = await entries(swarm, request, "a")
    assert isinstance(failed, Failed)
    assert failed.error.endswith("nor can this coordinator run it")


async def test_a_policy_also_takes_what_already_waits_in_a_lane_that_lost_its_last_node(lab: Lab) -> None:
    bad = Runs("bad", do=raising(ValueError("not yet")))
    await lab.coordinator(template("plan", step("a", "bad", unroutable="skip", grace_s=0.2)))
    worker = await lab.worker(executors(bad))
    swarm = await lab.door()
    request = await ask(swarm, template="plan")
    await bad.next()
    await worker.stop()
    ended = await end_of(swarm, request)
    assert ended.head.state == "cancelled"
    found = await kinds(swarm, request, "a")
    assert found[-1] == "cancelled"


async def test_a_task_for_one_node_goes_to_that_node(lab: Lab) -> None:
    here, there = Runs(), Runs(do=raising(FinalError("wrong node")))
    await lab.coordinator()
    await lab.worker(executors(there), name="there")
    await lab.worker(executors(here), name="here .* node")
    swarm = await lab.door()
    ended = await end_of(swarm, await ask(swarm, demand="node:here .* node"))
    assert ended.head.state == "done"
    assert len(here.tasks) == 1


async def test_a_coordinator_that_is_cut_off_skips_nothing_although_everybody_seems_gone(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    plan = template("plan", *(step(name, unroutable="skip", grace_s=0.8) for name in ("a", "b", "c", "d")))
    async with Relay(lab.nats.urls[0]) as relay:
        await lab.coordinator(plan, urls=(relay.url,))
        await lab.worker(executors(runs), slots=1)
        swarm = await lab.door()
        request = await ask(swarm, template="plan")
        await runs.next()
        relay.hold()
        await asyncio.sleep(3.0)
        relay.release()
        gate.open()
        ended = await end_of(swarm, request)
        assert (ended.head.state, ended.head.partial) == ("done", False)
        assert len(runs.tasks) == 4


async def test_a_deadline_that_passes_says_what_was_waited_for(lab: Lab) -> None:
    await lab.coordinator(template("plan", step("a", "absent"), step("b", after=["a"])))
    await lab.worker(executors(Runs()), name="w")
    swarm = await lab.door()
    request = await ask(swarm, template="plan", deadline=timedelta(seconds=1.5))
    ended = await end_of(swarm, request)
    why = "waited: no node offers absent; nearest: w (lacks capability absent)"
    assert ended.head.reason.startswith(f"deadline: the request's deadline of 1.5 s passed while a {why}")
    last = {name: (await entries(swarm, request, name))[-1] for name in "ab"}
    said = {name: entry.error for name, entry in last.items() if isinstance(entry, Failed)}
    assert said["a"].startswith(f"the request's deadline passed while it {why}")
    assert said["b"] == "the request's deadline passed"
