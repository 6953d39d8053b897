"""Two who believe that a request is theirs: two doors that hand it in, and a coordinator that comes back."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from picoclaw.errors import IdempotencyClash
from picoclaw.swarm.entries import Accepted, Done
from picoclaw.swarm.subjects import REQUEST_STEP
from picoclaw.swarm.submission import new_request, submit
from picoclaw.tests.support.fault_points import Point, Write, writes
from picoclaw.tests.support.flood import all_ended, flood
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.relay import Relay, relays
from picoclaw.tests.support.sound import sound
from picoclaw.tests.support.swarm import Lab, ask, lab_on
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(90)]


@pytest.fixture
async def lab(start_nats: StartNats, tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab_on(start_nats().url, tmp_path, hid="owners", clean=False) as lab:
        yield lab


@pytest.fixture
def links(lab: Lab) -> Iterator[list[Relay]]:
    """What the two coordinators reach their server through."""
    with relays() as park:
        yield [park.open(lab.nats.urls[0], name=name) for name in ("lead-a", "lead-b")]


@pytest.fixture
async def nodes(lab: Lab, links: list[Relay]) -> AsyncIterator[dict[str, ChildNode]]:
    """Two coordinators and a worker, on streams that a door has made."""
    await lab.door()
    started = await asyncio.gather(
        *(ChildNode.start(lab, "coordinator", link.name, url=link.url, quiet=True) for link in links),
        ChildNode.start(lab, "worker", "hand", quiet=True, slots=4, pause=0.1),
    )
    yield {node.name: node for node in started}
    for node in started:
        await node.kill()


@pytest.mark.long
async def test_one_key_handed_in_by_two_doors_at_the_same_moment_is_one_request(
    lab: Lab, nodes: dict[str, ChildNode]
) -> None:
    one, two = await lab.door(), await lab.door()
    requests = [new_request("the same", key=f"key {number}", demand="noop") for number in range(20)]

    came = await asyncio.gather(*(submit(door, request) for request in requests for door in (one, two)))

    ids = [request.id for request in requests]
    assert await all_ended(one, ids, 30) == ["done"] * 20
    # One of the two says that it was new; both, where the first was taken between the other's look and its
    # hand-in. A third one is told that it was not.
    assert all(came[n] or came[n + 1] for n in range(0, 40, 2))
    assert await submit(two, requests[0]) is False
    history = await sound(one, ids)
    assert sum(isinstance(written.entry, Accepted) for written in history.log) == 20


@pytest.mark.long
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


async def test_a_coordinator_stopped_in_its_last_write_which_arrives_late_changes_nothing(
    lab: Lab, nodes: dict[str, ChildNode], links: list[Relay]
) -> None:
    """Its `done` is on the way while another one takes the request over: what decides is the log alone."""
    door = await lab.door()
    passed_on = threading.Event()

    def stop(write: Write) -> None:
        os.kill(nodes[write.via].process.pid, signal.SIGSTOP)
        assert passed_on.wait(30)

    late = Point(writes("log", entry="done", of="request"), "before", stop, then="pass")
    for link in links:
        link.share(late)
    request = await flood(door, 20)
    await wait_for_async(lambda: late.seen, 30, "the owner's last write")
    stale = late.seen[0].via

    async def taken_over() -> bool:
        return (await door.log.request_head(request)).owner not in ("", stale)

    await wait_for_async(taken_over, 20, "another owner")
    passed_on.set()
    await late.wait_async()
    nodes[stale].process.send_signal(signal.SIGCONT)
    again = [await ask(door, demand="noop") for _ in range(5)]

    assert await all_ended(door, [request, *again], 60) == ["done"] * 6
    history = await sound(door, [request, *again])
    own = [w.entry for w in history.log if w.request == request and w.step == REQUEST_STEP]
    assert [entry.kind for entry in own] == ["accepted", "planned", "owner", "done"]
    assert isinstance(own[-1], Done)
    assert own[-1].node != stale
    assert nodes[stale].process.returncode is None
