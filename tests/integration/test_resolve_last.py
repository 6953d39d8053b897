"""`last` stands for the newest request wherever an id may stand."""

import pytest

from picoclaw.errors import NotFound
from picoclaw.swarm.records import Parent
from picoclaw.swarm.resolve import resolve
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def test_last_is_the_newest_request(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    with pytest.raises(NotFound, match="there is no last request"):
        await resolve(swarm, "last")
    for _ in range(2):
        newest = await ask(swarm, demand="noop")
        await end_of(swarm, newest)
    assert (await resolve(swarm, "last")).id == newest
    assert (await resolve(swarm, "last.task")).id == f"{newest}.task"
    await ask(swarm, demand="noop", parent=Parent(task=f"{newest}.task", root=newest, depth=1))
    assert (await resolve(swarm, "last")).id == newest
