"""Caps: no more jobs of a capability than its cap in the whole swarm, whoever dies, freezes or comes."""

import asyncio
from datetime import timedelta

import pytest

from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of, kinds, step, template
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

LEASE = timedelta(seconds=2)


class Together:
    """Counts the runs of several workers at once."""

    def __init__(self, pause: float = 0.05) -> None:
        self.active = self.most = self.ended = 0
        self.pause = pause

    async def __call__(self, task: QueuedTask, context: object) -> Result:
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.sleep(self.pause)
        finally:
            self.active -= 1
        self.ended += 1
        return Result(summary="done")


async def capped(lab: Lab, **caps: int) -> Swarm:
    """A door to a swarm with these caps, set long ago."""
    door = await lab.door()
    await door.live.change({f"cap.{name}": cap for name, cap in caps.items()})
    return door


async def slots_held(swarm: Swarm, name: str = "noop") -> tuple[str, ...]:
    from picoclaw.swarm.look_limits import read_in_use

    return (await read_in_use(swarm)).slots.get(name, ())


async def test_two_at_once_over_three_workers(lab: Lab) -> None:
    door = await capped(lab, noop=2)
    together = Together()
    await lab.coordinator(template("many", *(step(f"s{number}") for number in range(20))))
    for name in "abc":
        await lab.worker(executors(Runs(do=together)), name=name)
    request = await ask(door, template="many")
    ended = await end_of(door, request, 30)
    assert ended.head.state == "done"
    assert together.most == 2
    assert together.ended == 20

    async def all_back() -> bool:
        return not await slots_held(door)

    await wait_for_async(all_back, 5, "who holds no job gives the slot back")
