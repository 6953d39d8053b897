"""What somebody does to the store behind a coordinator's back ends neither it nor the requests of others."""

import asyncio

import pytest

from picoclaw.swarm.records import Request
from picoclaw.swarm.streams import stream_configs
from picoclaw.swarm.submission import new_request
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(50)]

LARGEST_MESSAGE = 1024 * 1024


def filling_a_message(size: int) -> Request:
    request = new_request("x", demand="noop")
    room = size - len(request.to_bytes())
    return request.model_copy(update={"text": "x" * (room + 1)})


async def test_a_request_that_just_fits_into_a_message_is_written_down_by_reference(lab: Lab) -> None:
    coordinator = await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    request = filling_a_message(LARGEST_MESSAGE - 200)
    # Not by our own door, which sends a stand-in: a foreign client may do without.
    await swarm.client.publish(swarm.names.inbox(1, request.id), request.to_bytes())
    assert (await end_of(swarm, request.id)).head.state == "done"
    assert not coordinator.task.done()


async def test_a_running_request_that_an_operator_purges_is_let_go(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter(request)})
    gate.open()

    def carried() -> bool:
        return f"own {request}" in {task.get_name() for task in asyncio.all_tasks()}

    assert carried()
    await wait_for_async(lambda: not carried(), 15)
    assert (await end_of(swarm, await ask(swarm, demand="noop"))).head.state == "done"


async def test_a_store_that_was_emptied_is_made_anew_and_serves(lab: Lab) -> None:
    await lab.coordinator()
    runs = Runs()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    for priority in (0, 1, 2):  # so that the lane's record has a revision that the new bucket reaches late
        assert (await end_of(swarm, await ask(swarm, demand="noop", priority=priority))).head.state == "done"
    await delete_streams(swarm)
    await swarm.ensure_streams()
    request = await ask(swarm, demand="noop", priority=3)
    assert (await end_of(swarm, request, 40)).head.state == "done"
    assert len(runs.tasks) == 4


async def delete_streams(swarm: Swarm) -> None:
    for config in stream_configs(swarm.names, replicas=1, limits=swarm.limits):
        await swarm.wire.api(f"STREAM.DELETE.{config['name']}")
