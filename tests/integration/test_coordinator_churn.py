"""Nodes come and go while requests run: whatever the moment, everything ends once."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.submission import Ended
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of, in_queue, kinds, step, template
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

WIDTH = 60
PLAN = template(
    "plan",
    *(step(f"a{n}") for n in range(WIDTH)),
    *(step(f"b{n}", after=(f"a{n}",)) for n in range(WIDTH)),
)


async def briefly(task: QueuedTask, context: Context) -> Result:
    await asyncio.sleep(0.03)
    return Result(summary=task.task.step)


async def everything_ended_once(swarm: Swarm, request: str, ended: Ended) -> None:
    assert (ended.head.state, ended.head.partial) == ("done", False)
    for task in PLAN.tasks:
        assert (await kinds(swarm, request, task.step)).count("done") == 1
    assert (await kinds(swarm, request)).count("done") == 1

    async def empty() -> bool:
        return await in_queue(swarm) == 0

    await wait_for_async(empty, 5, "nothing is left in the queue")


async def test_coordinators_come_and_go_while_a_request_runs(lab: Lab) -> None:
    """Half of them with a goodbye, half without; what they had begun to release is never lost or doubled."""
    runs = Runs(do=briefly)
    await lab.worker(executors(runs), slots=8)
    swarm = await lab.door()
    current = await lab.coordinator(PLAN)
    request = await ask(swarm, template="plan")
    ending = asyncio.create_task(end_of(swarm, request, 40))
    for turn in itertools.count():
        await asyncio.wait({ending}, timeout=0.15 + 0.07 * turn)
        if ending.done() or turn == 5:
            break
        following = await lab.coordinator(PLAN)
        if turn % 2:
            await current.stop()
        else:
            await current.crash()
        current = following
    await everything_ended_once(swarm, request, await ending)
    assert len(runs.tasks) == len(set(runs.tasks)) == 2 * WIDTH, "no task ran twice: no worker was lost"


async def test_workers_come_and_go_while_a_request_runs(lab: Lab) -> None:
    """They drain or vanish with tasks in their hands: each task ends once, however often it was begun.

    What was delivered to one that vanished before it wrote `started` waits for the ack wait.
    """
    lab.nats = replace(lab.nats, ack_wait=timedelta(seconds=3))
    runs = Runs(do=briefly)
    swarm = await lab.door()
    await lab.coordinator(PLAN)
    stays = await lab.worker(executors(runs), slots=2)
    request = await ask(swarm, template="plan", max_attempts=20)
    ending = asyncio.create_task(end_of(swarm, request, 40))
    for turn in range(6):
        worker = await lab.worker(executors(runs), slots=4, drain=timedelta(seconds=0.01))
        await asyncio.wait({ending}, timeout=0.1)
        if turn % 2:
            await worker.stop()
        else:
            await worker.crash()
    await everything_ended_once(swarm, request, await ending)
    assert not stays.task.done()


async def test_requests_keep_coming_while_coordinators_come_and_go(lab: Lab) -> None:
    runs = Runs(do=briefly)
    await lab.worker(executors(runs), slots=20)
    swarm = await lab.door()
    await lab.coordinator(name="stays")
    requests: list[str] = []
    for turn in range(4):
        passing = await lab.coordinator()
        requests += await asyncio.gather(*(ask(swarm, f"{turn} {n}", demand="noop") for n in range(10)))
        if turn % 2:
            await passing.stop()
        else:
            await passing.crash()
    for request in requests:
        assert (await end_of(swarm, request)).head.state == "done"
        found = await kinds(swarm, request)
        assert (found.count("accepted"), found.count("done")) == (1, 1)
    assert sorted(runs.tasks) == sorted(f"{request}.task" for request in requests)
