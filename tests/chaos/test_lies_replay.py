"""What was really said once is said again: results, acks and heartbeats change nothing the second time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from picoclaw.swarm.entries import Started
from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.flood import all_ended, flood
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.sound import sound
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, entries, lab_on
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(90)]


class Wire:
    """Somebody who hears everything, and may say it again."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.heard: list[Msg] = []

    async def listen(self, swarm: Swarm) -> None:
        async def note(message: Msg) -> None:
            self.heard.append(message)

        for subject in (swarm.names.wildcard("*").replace("*.>", ">"), "$JS.ACK.>"):
            await self._client.subscribe(subject, cb=note)
        await self._client.flush()

    async def say_again(self, *parts: str) -> int:
        """Publish again, as it was, whatever was heard on subjects with one of these parts."""
        # Not what is heard meanwhile: that would be without end.
        again = [m for m in list(self.heard) if any(part in m.subject for part in parts)]
        for message in again:
            await self._client.publish(message.subject, message.data, headers=message.headers)
        await self._client.flush()
        return len(again)


@pytest.fixture
async def lab(start_nats: StartNats, tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab_on(start_nats().url, tmp_path, hid="replay", clean=False) as lab:
        yield lab


@pytest.fixture
async def wire(lab: Lab) -> AsyncIterator[Wire]:
    client = await nats.connect(lab.nats.urls[0])
    wire = Wire(client)
    await wire.listen(await lab.door())
    yield wire
    await client.close()


async def test_a_whole_request_said_again_changes_nothing(lab: Lab, wire: Wire) -> None:
    door = await lab.door()
    nodes = await asyncio.gather(
        ChildNode.start(lab, "coordinator", "lead", quiet=True),
        ChildNode.start(lab, "worker", "hand", quiet=True, slots=2),
    )
    try:
        request = await flood(door, 10)
        assert await all_ended(door, [request], 20) == ["done"]
        before = await sound(door, [request])

        # Entries with what they expected, queue messages, the request itself, its acks, all heartbeats.
        assert await wire.say_again(".log.", ".task.", ".request.", "$JS.ACK.", ".node.") >= 50
        later = [await ask(door, demand="noop") for _ in range(5)]

        assert await all_ended(door, later, 20) == ["done"] * 5
        after = await sound(door, [request, *later])
        assert [w for w in after.log if w.request == request] == list(before.log)
    finally:
        for node in nodes:
            await node.kill()


@pytest.mark.long
async def test_an_ack_of_what_runs_loses_nothing(lab: Lab) -> None:
    door = await lab.door()
    lead, first = await asyncio.gather(
        ChildNode.start(lab, "coordinator", "lead", quiet=True),
        ChildNode.start(lab, "worker", "first", hold=True),
    )
    second = None
    try:
        request = await ask(door, demand="noop")
        await first.says("began")
        held = (await entries(door, request, STEP))[-1]
        assert isinstance(held, Started)
        # Now the queue has no message of it, whoever may need one.
        await door.wire.request(held.ack, b"+ACK")
        await first.kill()
        second = await ChildNode.start(lab, "worker", "second", quiet=True)

        assert (await end_of(door, request, 30)).head.state == "done"
        await sound(door, [request])
    finally:
        for node in (lead, first, second):
            if node is not None:
                await node.kill()


@pytest.mark.long
async def test_heartbeats_and_the_goodbye_of_an_earlier_run_say_nothing_of_the_later_one(
    lab: Lab, wire: Wire
) -> None:
    door = await lab.door()
    lead = await ChildNode.start(lab, "coordinator", "lead", quiet=True)
    first = await ChildNode.start(lab, "worker", "hand", quiet=True)
    first.process.terminate()
    await first.process.wait()
    second = await ChildNode.start(lab, "worker", "hand", pause=1.0)
    try:
        request = await ask(door, demand="noop")
        await second.says("began")
        member = door.names.member("hand")
        for _ in range(5):
            old = [m for m in wire.heard if m.subject == member and first_run(m) != first_run(wire.heard[-1])]
            assert await wire.say_again(member) >= len(old) > 0
        assert (await end_of(door, request)).head.state == "done"

        async def online() -> bool:
            await door.read_members()
            return door.members.status("hand") in ("online", "busy")

        await wait_for_async(online, 10)
        history = await sound(door, [request])
        # Nobody took the task from its holder on an old run's word.
        assert sum(isinstance(written.entry, Started) for written in history.log) == 1
    finally:
        for node in (lead, first, second):
            await node.kill()


def first_run(message: Msg) -> str:
    """The run that sent a heartbeat; empty for any other message."""
    return Heartbeat.from_bytes(message.data).run if ".node." in message.subject else ""
