"""Two who believe that a request is theirs: two doors that hand it in, and a coordinator that comes back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from picoclaw.errors import IdempotencyClash
from picoclaw.swarm.entries import Accepted, Owner
from picoclaw.swarm.subjects import REQUEST_STEP
from picoclaw.swarm.submission import new_request, submit
from picoclaw.tests.support.flood import all_ended, flood, under_way
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.sound import sound
from picoclaw.tests.support.swarm import Lab, ask, end_of, entries, lab_on
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(90)]


@pytest.fixture
async def lab(start_nats: StartNats, tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab_on(start_nats().url, tmp_path, hid="owners", clean=False) as lab:
        yield lab


@pytest.fixture
async def nodes(lab: Lab) -> AsyncIterator[dict[str, ChildNode]]:
    """Two coordinators and a worker, on streams that a door has made."""
    await lab.door()
    started = await asyncio.gather(
        ChildNode.start(lab, "coordinator", "lead-a", quiet=True),
        ChildNode.start(lab, "coordinator", "lead-b", quiet=True),
        ChildNode.start(lab, "worker", "hand", quiet=True, slots=4, pause=0.1),
    )
    yield {node.name: node for node in started}
    for node in started:
        await node.kill()


async def test_one_key_handed_in_by_two_doors_at_the_same_moment_is_one_request(
    lab: Lab, nodes: dict[str, ChildNode]
) -> None:
    one, two = await lab.door(), await lab.door()
    requests = [new_request("the same", key=f"key {number}", demand="noop") for number in range(20)]

    came = await asyncio.gather(*(submit(door, request) for request in requests for door in (one, two)))

    ids = [request.id for request in requests]
    assert await all_ended(one, ids, 30) == ["done"] * 20
    # No door but the first says that it was new; a third one is told so as well.
    assert [came[n] + came[n + 1] for n in range(0, 40, 2)] == [1] * 20
    assert await submit(two, requests[0]) is False
    history = await sound(one, ids)
    assert sum(isinstance(written.entry, Accepted) for written in history.log) == 20


async def test_one_key_for_two_requests_at_the_same_moment_is_the_first_and_the_second_is_refused(
    lab: Lab, nodes: dict[str, ChildNode]
) -> None:
    one, two = await lab.door(), await lab.door()
    keys = [f"key {number}" for number in range(10)]

    said = await asyncio.gather(
        *(
            submit(door, new_request(text, key=key, demand="noop"))
            for key in keys
            for door, text in ((one, "this"), (two, "that"))
        ),
        return_exceptions=True,
    )

    assert not [s for s in said if isinstance(s, BaseException) and not isinstance(s, IdempotencyClash)]
    ids = [new_request("this", key=key, demand="noop").id for key in keys]
    assert await all_ended(one, ids, 30) == ["done"] * 10
    for key in keys:
        with pytest.raises(IdempotencyClash, match="was used before for another request"):
            await submit(one, new_request("yet another", key=key, demand="noop"))
    await sound(one, ids)


async def test_a_coordinator_that_was_stopped_and_goes_on_writing_changes_nothing(
    lab: Lab, nodes: dict[str, ChildNode]
) -> None:
    door = await lab.door()
    large = await flood(door, 200)
    await under_way(door, large, tasks=10)
    first = (await door.log.request_head(large)).owner
    stale = nodes[first]
    # Its heartbeats must have been heard for a node timeout by whoever is to judge it.
    await under_way(door, large, tasks=60)

    stale.process.send_signal(signal.SIGSTOP)

    async def taken_over() -> bool:
        return (await door.log.request_head(large)).owner not in ("", first)

    await wait_for_async(taken_over, 20, "another owner")
    stale.process.send_signal(signal.SIGCONT)
    again = [await ask(door, demand="noop") for _ in range(5)]

    assert await all_ended(door, [large, *again], 60) == ["done"] * 6
    history = await sound(door, [large, *again])
    owners = [w.entry for w in history.log if w.request == large and isinstance(w.entry, Owner)]
    assert len(owners) == 1
    assert stale.process.returncode is None
    kinds = [entry.kind for entry in await entries(door, large, REQUEST_STEP)]
    assert kinds == ["accepted", "planned", "owner", "done"]
    assert (await end_of(door, large)).head.state == "done"
