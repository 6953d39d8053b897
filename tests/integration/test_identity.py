"""Which swarm a process belongs to, and under which name: one winner, however many start at once."""

import asyncio
import shutil
import signal
from pathlib import Path

import pytest

from picoclaw.config.settings import NatsSettings
from picoclaw.errors import NameRefused, NodeNameTaken, SwarmError
from picoclaw.swarm.connection import connect
from picoclaw.swarm.entries import Queued
from picoclaw.swarm.identity import adopt_hid, find_hid
from picoclaw.swarm.streams import ensure_shared
from picoclaw.swarm.subjects import SHARED_BUCKET
from picoclaw.swarm.wire import Wire
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.swarm import Lab, ask, end_of, kinds, lab_on
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

NODES = 12
ROUNDS = 8


async def test_nodes_that_start_at_once_on_a_new_server_share_one_hid(start_nats: StartNats) -> None:
    client = await connect(NatsSettings(urls=(start_nats().url,)), name="test")

    async def adopt(wire: Wire, order: int) -> str:
        for _ in range(order):
            await asyncio.sleep(0)  # a little later than the one before, so that reads and writes interleave
        return await adopt_hid(wire, None)

    async with Wire(client) as wire:
        await ensure_shared(wire, replicas=1)
        for _ in range(ROUNDS):
            await wire.api(f"STREAM.PURGE.KV_{SHARED_BUCKET}")

            adopted = await asyncio.gather(*(adopt(wire, order) for order in range(NODES)))

            assert len(set(adopted)) == 1
            assert await adopt_hid(wire, None) == adopted[0]
    await client.close()


async def test_nodes_without_a_setting_that_start_at_once_find_each_other(
    start_nats: StartNats, tmp_path: Path
) -> None:
    async with lab_on(start_nats().url, tmp_path, clean=False) as lab:
        lab.hid = None
        nodes = [lab.begin("worker", name=f"w{number}") for number in range(6)]
        await asyncio.gather(*(node.ready() for node in nodes))
        assert len({node.swarm.names.hid for node in nodes}) == 1
        await wait_for_async(lambda: all(len(node.swarm.members.table) == 6 for node in nodes))


async def test_the_hid_that_was_recorded_outlives_the_server(start_nats: StartNats, tmp_path: Path) -> None:
    server = start_nats()
    async with lab_on(server.url, tmp_path, clean=False) as lab:
        lab.hid = None
        first = (await lab.door()).names.hid
        server.restart()
        assert (await lab.door()).names.hid == first


async def test_the_hid_outlives_a_store_that_was_lost_while_nodes_ran(
    start_nats: StartNats, tmp_path: Path
) -> None:
    server = start_nats()
    async with lab_on(server.url, tmp_path, clean=False) as lab:
        lab.hid = None
        hand = await lab.node("worker", name="hand")
        server.stop()
        shutil.rmtree(server.store)
        server.start()

        async def recorded() -> bool:
            return hand.swarm.client.is_connected and await find(hand.swarm.wire) is not None

        await wait_for_async(recorded, 20)

        newcomer = await lab.node("worker", name="newcomer")

        assert newcomer.swarm.names.hid == hand.swarm.names.hid
        await wait_for_async(lambda: len(newcomer.swarm.members.table) == 2)


async def find(wire: Wire) -> str | None:
    try:
        return await find_hid(wire, None)
    except SwarmError:
        return None


async def test_two_hids_on_one_account_see_nothing_of_each_other(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    """One name differs from the other only in what the slug drops."""
    here, there = Runs(), Runs()
    async with (
        lab_on(nats_server.url, tmp_path / "a", hid="Family 1 é") as one,
        lab_on(nats_server.url, tmp_path / "b", hid="family.1*>") as two,
    ):
        await one.coordinator(name="c")
        await one.worker(executors(here), name="w")
        mine, theirs = await one.door(), await two.door()
        request = await ask(theirs, demand="noop", key="the same key")
        await two.worker(executors(there), name="w")
        await asyncio.sleep(0.3)
        assert await kinds(theirs, request) == [], "nobody there coordinates, whoever does so next door"
        assert (await end_of(mine, await ask(mine, demand="noop", key="the same key"))).head.state == "done"
        await theirs.read_members()
        assert set(theirs.members.table) == {"w"}
        assert (len(here.tasks), len(there.tasks)) == (1, 0)
        assert await kinds(theirs, request) == []


@pytest.mark.parametrize("hid", ["a.b", "a b", "*", ">", "家族 🦞", "x" * 128, "$JS", "-"])
async def test_an_hid_of_any_characters_works(nats_server: NatsServer, tmp_path: Path, hid: str) -> None:
    async with lab_on(nats_server.url, tmp_path, hid=hid) as lab:
        swarm = await lab.door()
        assert swarm.names.hid == hid
        await swarm.log.append("r-aaaaaaaaaaaaaaaa", "a", Queued(demand="noop", priority=1), expected=0)


@pytest.mark.parametrize("hid", ["", "a\nb", "a\x00", "x" * 129])
async def test_an_hid_that_no_swarm_can_carry_is_refused_before_anything_is_made(
    nats_server: NatsServer, tmp_path: Path, hid: str
) -> None:
    lab = Lab(nats_server.url, tmp_path)
    lab.hid = hid
    with pytest.raises(NameRefused, match="H-id"):
        await lab.door()
    lab.hid = None
    await lab.close(clean=False)


# --- names ---


async def test_a_second_live_node_of_one_name_is_refused_in_words(lab: Lab) -> None:
    first = await lab.worker(executors(Runs()), name="claw .* 1")
    with pytest.raises(NodeNameTaken, match=r"a live node is called 'claw \.\* 1' already \(pid \d+ on .*\)"):
        await lab.worker(executors(Runs()), name="claw .* 1")
    assert not first.task.done()
    assert first.swarm.members.status("claw .* 1") == "online"


async def test_of_two_nodes_that_start_at_once_under_one_name_one_wins(lab: Lab) -> None:
    for _ in range(5):
        both = [lab.begin("worker", name="twin") for _ in range(2)]
        ready = await asyncio.gather(*(node.ready() for node in both), return_exceptions=True)
        refused = [error for error in ready if error is not None]
        assert len(refused) == 1
        assert isinstance(refused[0], NodeNameTaken)
        (winner,) = [node for node in both if not node.task.done()]
        await winner.stop()


async def test_a_name_is_free_again_after_goodbye_and_after_death(lab: Lab) -> None:
    first = await lab.worker(executors(Runs()), name="w")
    await first.stop()
    second = await lab.worker(executors(Runs()), name="w")
    await second.crash()
    third = await lab.worker(executors(Runs()), name="w")
    assert third.swarm.members.table["w"].beat.run == third.run


async def test_a_silent_holder_of_a_name_is_fenced_and_ends_when_it_thaws(lab: Lab) -> None:
    frozen = await ChildNode.start(lab, "worker", "w")
    try:
        watcher = await lab.worker(executors(Runs()), name="watcher")
        frozen.process.send_signal(signal.SIGSTOP)
        new = await lab.worker(executors(Runs()), name="w")
        # It knows only the new one: nothing tells it from a heartbeat which of two runs is the newer.
        young = await lab.worker(executors(Runs()), name="young")
        frozen.process.send_signal(signal.SIGCONT)
        assert "another process took over the name 'w'" in await frozen.says("ended")
        await asyncio.sleep(0.5)
        assert not new.task.done()
        for observer in (watcher, young):
            assert observer.swarm.members.table["w"].beat.run == new.run
            assert observer.swarm.members.status("w") == "online"
            assert not observer.swarm.members.proven_dead("w", new.run, 0.0)
        late = await lab.door()
        await late.read_members()
        assert late.members.table["w"].beat.run == new.run, "also for who comes only now"
        assert not late.members.table["w"].beat.goodbye
        await lab.coordinator()
        swarm = await lab.door()
        assert (await end_of(swarm, await ask(swarm, demand="node:w"))).head.state == "done"
    finally:
        await frozen.kill()
