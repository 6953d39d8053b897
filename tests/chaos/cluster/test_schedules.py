"""Three servers, three copies: schedules go on when the server dies that keeps the time for them."""

import itertools

import pytest

from picoclaw.swarm.cron.store import create_schedule, delete_schedule, find_schedule
from picoclaw.swarm.entries import Accepted
from picoclaw.swarm.log import decode
from picoclaw.swarm.records import Firing
from picoclaw.swarm.server_time import server_time
from picoclaw.swarm.submission import new_request, submit
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.cluster import Cluster
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, end_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(240)]


async def firings(swarm: Swarm, name: str) -> dict[str, Firing]:
    """What a schedule made, by request; an id that is accepted twice would stand in the log twice."""
    found: dict[str, Firing] = {}
    async for followed in swarm.log.history("*", "_"):
        entry = decode(followed)
        if isinstance(entry, Accepted) and entry.request.firing is not None:
            assert entry.request.id not in found
            if entry.request.firing.schedule == name:
                found[entry.request.id] = entry.request.firing
    return found


async def test_the_leader_of_the_schedules_is_killed_and_each_firing_is_one_request(
    cluster: Cluster, lab: Lab
) -> None:
    await lab.coordinator(name="one")
    await lab.coordinator(name="two")
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    await create_schedule(swarm, "t", "@every 3s", "UTC", new_request("tick", demand="noop"))
    later = new_request("later", demand="noop")
    await submit(swarm, later, at=await server_time(swarm) + 15)

    async def some(number: int) -> bool:
        return len(await firings(swarm, "t")) >= number

    await wait_for_async(lambda: some(2), 60)
    leader = await cluster.leader(swarm, swarm.names.requests)
    cluster.servers[leader].kill()
    before = len(await firings(swarm, "t"))
    await wait_for_async(lambda: some(before + 3), 90)
    cluster.servers[leader].start()
    await wait_for_async(lambda: some(before + 5), 90)
    await delete_schedule(swarm, await find_schedule(swarm, "t"))

    made = await firings(swarm, "t")
    moments = sorted(firing.at for firing in made.values())
    apart = [second - first for first, second in itertools.pairwise(moments)]
    assert min(apart) > 1.5, apart  # no tick came twice
    for request in (later.id, *made):
        assert (await end_of(swarm, request, 30)).head.state == "done"
