"""A full log: the sender is told so in words, what runs still ends, nothing is dropped, and it goes on with room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from picoclaw.errors import QueueFull
from picoclaw.swarm.cancel import cancel_request
from picoclaw.swarm.entries import Started
from picoclaw.swarm.streams import Limits
from picoclaw.swarm.subjects import request_id
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.wire import STREAM_FULL, ApiError
from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.flood import all_ended, flood, under_way
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.sound import sound
from picoclaw.tests.support.swarm import Lab, ask, lab_on
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(90)]

HID = "full"
LOG = 2_000_000
"""Bytes of the log; submissions are refused at 90 % of it."""
HELD_BACK = 5.0
"""Seconds after which a coordinator that has not accepted a request holds it back."""
STILL = 1.5
"""Seconds in which a swarm that could go on would have."""
NOBODY = request_id("a request that nobody made")[0]
LETTER = "x" * 50_000


@pytest.fixture
async def lab(start_nats: StartNats, tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab_on(start_nats().url, tmp_path, hid=HID, clean=False) as lab:
        yield lab


@pytest.fixture
async def nodes() -> AsyncIterator[list[ChildNode]]:
    nodes: list[ChildNode] = []
    yield nodes
    for node in nodes:
        await node.kill()


async def fill(swarm: Swarm) -> tuple[list[str], str]:
    """Hand in requests for a capability that nobody has until one is refused; return them, and the words."""
    taken: list[str] = []
    while True:
        try:
            taken.append(await ask(swarm, LETTER, demand="elsewhere"))
        except QueueFull as refused:
            return taken, str(refused)
        assert len(taken) < 200

        async def accepted(request: str = taken[-1]) -> bool:
            return (await swarm.log.request_head(request)).accepted

        # The log is to be full of them, and not the inbox of a coordinator that has no processor.
        with suppress(AssertionError):
            await wait_for_async(accepted, HELD_BACK)


@pytest.mark.long
async def test_a_full_log_refuses_in_words_ends_what_runs_and_goes_on_with_room(
    lab: Lab, nodes: list[ChildNode], run_picoclaw: RunPicoclaw
) -> None:
    door = await lab.door(limits=Limits(log=LOG))
    nodes.append(await ChildNode.start(lab, "coordinator", "lead", quiet=True))
    here = ("--swarm.hid", HID, "--swarm.nats.urls", lab.nats.urls[0])
    running = await flood(door, 40)

    async def is_planned() -> bool:
        return (await door.log.request_head(running)).planned

    await wait_for_async(is_planned)
    waiting, words = await fill(door)
    assert "queue full: the log is over 90% of its size; nothing was submitted" in words

    refused = await asyncio.to_thread(
        run_picoclaw, "dispatch", "One more", "--capability", "noop", "--key", "once more", *here
    )
    assert refused.returncode == 1, refused
    assert "queue full" in refused.stderr
    assert "picoclaw prune --older-than 1h" in refused.stderr

    # What runs ends, in the tenth that is kept for it.
    nodes.append(await ChildNode.start(lab, "worker", "hand", quiet=True, slots=8))
    assert await all_ended(door, [running], 40) == ["done"]

    # As the message says: room is made, and the same request, with the same key, is taken.
    for request in waiting:
        await cancel_request(door, request, why="to have room")
    assert set(await all_ended(door, waiting, 40)) == {"cancelled"}
    await sound(door, [running, *waiting])

    pruned = await asyncio.to_thread(run_picoclaw, "prune", "--older-than", "0s", *here)
    assert pruned.returncode == 0, pruned
    again = await asyncio.to_thread(
        run_picoclaw, "dispatch", "One more", "--capability", "noop", "--key", "once more", *here
    )
    assert again.returncode == 0, again.stderr


async def brim(swarm: Swarm) -> int:
    """Fill the log to its last byte beside the running work, and return how many entries it then holds."""
    subject = swarm.names.log_of(NOBODY)
    for size in (10_000, 100, 1):
        while True:
            try:
                await swarm.wire.store(subject, b"x" * size)
            except ApiError as error:
                if error.code not in STREAM_FULL:
                    raise
                break
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.log}")
    return int(info["state"]["last_seq"])


@pytest.mark.long
async def test_a_log_without_a_byte_left_holds_the_work_until_there_is_room(
    lab: Lab, nodes: list[ChildNode]
) -> None:
    door = await lab.door(limits=Limits(log=LOG))
    nodes.append(await ChildNode.start(lab, "coordinator", "lead", quiet=True))
    nodes.append(await ChildNode.start(lab, "worker", "hand", quiet=True, slots=4, pause=0.1))
    running = await flood(door, 100)
    await under_way(door, running, tasks=5)

    full = await brim(door)
    with pytest.raises(QueueFull, match="queue full"):
        await ask(door, demand="noop")
    await asyncio.sleep(STILL)  # nothing announces that nothing happens
    info = await door.wire.api(f"STREAM.INFO.{door.names.log}")
    assert int(info["state"]["last_seq"]) <= full + 1  # an entry smaller than the last byte of junk may fit
    assert not (await door.log.request_head(running)).terminal
    await door.wire.api(f"STREAM.PURGE.{door.names.log}", {"filter": door.names.log_of(NOBODY)})

    assert await all_ended(door, [running], 40) == ["done"]
    later = await ask(door, demand="noop")
    assert await all_ended(door, [later], 20) == ["done"]
    history = await sound(door, [running, later])
    # Its jobs waited for their last entry, and nobody took them for lost meanwhile.
    assert len([written for written in history.log if isinstance(written.entry, Started)]) == 101


async def test_plans_and_results_larger_than_their_requests_leave_a_log_that_fills(
    lab: Lab, nodes: list[ChildNode]
) -> None:
    door = await lab.door(limits=Limits(log=LOG))
    nodes.append(await ChildNode.start(lab, "coordinator", "lead", quiet=True))
    each = {"step": "t", "for_each": list(range(5)), "demand": "noop"}
    taken = []
    for _ in range(40):
        try:
            taken.append(await ask(door, LETTER[:20_000], workflow={"name": "many", "tasks": [each]}))
        except QueueFull:
            break
    nodes.append(await ChildNode.start(lab, "worker", "hand", quiet=True, slots=8))
    assert await all_ended(door, taken, 60) == ["done"] * len(taken)
    await sound(door, taken)
