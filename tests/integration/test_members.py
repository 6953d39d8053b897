"""Who is in the swarm: heartbeats, probes, and what may be concluded from them."""

import asyncio
import logging
import signal
from datetime import timedelta

import pytest

from picoclaw.swarm.membership.announcer import Announcer
from picoclaw.swarm.membership.heartbeat import Advert, Heartbeat
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import Lab, play_task
from picoclaw.tests.support.swarm_node import ChildNode
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def observer(lab: Lab) -> Swarm:
    """A node that watches; it may judge once it has heard itself for a node timeout."""
    return (await lab.worker(executors(Runs("watching")), name="observer")).swarm


async def test_a_node_joins_works_and_leaves_and_everybody_sees_it(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    swarm = await observer(lab)
    gate = Gate()
    worker = await lab.worker(executors(Runs(do=gate)), name="w", slots=2)
    await wait_for_async(lambda: swarm.members.status("w") == "online")
    door = await lab.door()
    await play_task(door)
    await play_task(door)
    await wait_for_async(lambda: swarm.members.status("w") == "busy")
    assert len(swarm.members.table["w"].beat.tasks) == 2
    leaving = asyncio.create_task(worker.stop())
    await wait_for_async(lambda: swarm.members.status("w") == "draining")
    assert [member.beat.node for member in swarm.members.living()] == ["observer"]
    gate.open()
    await leaving
    await wait_for_async(lambda: swarm.members.status("w") == "offline")
    said = [(r.message, getattr(r, "member", "")) for r in caplog.records]
    assert ("Node joined swarm", "w") in said
    assert ("Node marked offline", "w") in said


async def test_what_a_node_says_of_itself(lab: Lab) -> None:
    swarm = await observer(lab)
    unready = Runs("later", ready=False)
    await lab.worker(
        executors(Runs("noop"), unready), name="w", role="specialist", capabilities=["noop", "later"], slots=7
    )
    await wait_for_async(lambda: "w" in swarm.members.table)
    beat = swarm.members.table["w"].beat
    assert (beat.role, beat.slots, beat.capabilities) == ("specialist", 7, ("noop",))
    assert beat.not_ready == {"later": "a test that makes it ready"}
    assert (beat.interval_s, beat.timeout_s) == (0.2, 1.0)
    assert beat.pid > 0


async def test_a_late_joiner_reads_the_whole_table_at_once(lab: Lab) -> None:
    for number in range(4):
        await lab.worker(executors(Runs()), name=f"w{number}")
    swarm = await lab.door()
    await swarm.read_members()
    assert set(swarm.members.table) == {f"w{number}" for number in range(4)}
    assert {swarm.members.status(f"w{number}") for number in range(4)} == {"online"}


async def test_an_old_heartbeat_that_still_stands_there_does_not_make_a_node_alive(lab: Lab) -> None:
    worker = await lab.worker(executors(Runs()), name="w")
    await worker.crash()
    await asyncio.sleep(1.1)
    swarm = await lab.door()
    await swarm.read_members()
    assert swarm.members.status("w") == "offline"


async def test_a_killed_node_is_found_absent_by_two_probes_long_before_its_timeout(lab: Lab) -> None:
    swarm = await observer(lab)
    child = await ChildNode.start(lab, "worker", "w", node_timeout=60)
    try:
        await wait_for_async(lambda: "w" in swarm.members.table and swarm.members.may_declare)
        run = swarm.members.table["w"].beat.run
        await child.kill()
        await swarm.members.probe("w")
        await swarm.members.probe("w")
        assert not swarm.members.run_dead("w", run, 0.0), "nor are two in one moment enough"
        assert swarm.members.status("w") == "suspicious"
        await asyncio.sleep(1.05)
        await swarm.members.probe("w")
        assert swarm.members.run_dead("w", run, 0.0)
        assert swarm.members.status("w") == "offline"
    finally:
        await child.kill()


async def test_a_stopped_node_only_times_out_and_that_is_suspicion(lab: Lab) -> None:
    swarm = await observer(lab)
    child = await ChildNode.start(lab, "worker", "w", node_timeout=30)
    try:
        await wait_for_async(lambda: swarm.members.may_declare)
        run = swarm.members.table["w"].beat.run
        child.process.send_signal(signal.SIGSTOP)
        await swarm.members.probe("w")
        assert swarm.members.status("w") == "suspicious"
        await swarm.members.probe("w")
        assert not swarm.members.run_dead("w", run, 0.0), "it is there, it only does not answer"
        child.process.send_signal(signal.SIGCONT)
        await wait_for_async(lambda: swarm.members.status("w") == "online")
    finally:
        await child.kill()


async def test_who_is_no_node_declares_nobody_dead(lab: Lab) -> None:
    worker = await lab.worker(executors(Runs()), name="w")
    swarm = await lab.door()
    await swarm.follow_members()
    await worker.crash()
    await asyncio.sleep(1.2)
    await swarm.members.probe("w")
    assert not swarm.members.may_declare
    assert not swarm.members.run_dead("w", worker.run, 0.0)
    assert swarm.members.status("w") == "offline", "it may still say what it sees"


async def test_a_node_declares_nobody_dead_before_it_has_heard_itself_for_a_node_timeout(lab: Lab) -> None:
    worker = await lab.worker(executors(Runs()), name="w")
    swarm = await observer(lab)
    loop = asyncio.get_running_loop()
    joined = loop.time()
    assert not swarm.members.may_declare
    await wait_for_async(lambda: swarm.members.may_declare)
    assert loop.time() - joined >= 0.8
    assert not swarm.members.run_dead("w", worker.run, 0.0)


async def test_after_a_reconnect_a_node_waits_one_node_timeout_before_it_judges(lab: Lab) -> None:
    async with Relay(lab.nats.urls[0]) as relay:
        worker = await lab.worker(executors(Runs()), name="w")
        watching = await lab.worker(executors(Runs()), name="observer", urls=(relay.url,))
        members = watching.swarm.members
        await wait_for_async(lambda: members.may_declare)
        back = asyncio.Event()
        watching.swarm.on_reconnect(back.set)
        relay.cut()
        await worker.crash()
        await asyncio.wait_for(back.wait(), 10)
        since = asyncio.get_running_loop().time()
        assert not members.may_declare
        assert not members.run_dead("w", worker.run, 0.0)
        await wait_for_async(lambda: members.run_dead("w", worker.run, 0.0))
        assert asyncio.get_running_loop().time() - since >= 0.8


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"v": 99, "node": "w"}', b'{"node": "w"}', b"[]"], ids=range(6)
)
async def test_a_foreign_heartbeat_is_ignored(lab: Lab, body: bytes) -> None:
    swarm = await observer(lab)
    await swarm.wire.store(swarm.names.member("w"), body)
    await lab.worker(executors(Runs()), name="later")
    await wait_for_async(lambda: "later" in swarm.members.table)
    assert "w" not in swarm.members.table


async def test_a_heartbeat_on_another_nodes_subject_is_ignored(lab: Lab) -> None:
    swarm = await observer(lab)
    beat = Heartbeat(
        node="liar", run="r", role="worker", beat=1, interval_s=1, timeout_s=9, slots=1, started=0.0
    )
    await swarm.wire.store(swarm.names.member("victim"), beat.to_bytes())
    await lab.worker(executors(Runs()), name="later")
    await wait_for_async(lambda: "later" in swarm.members.table)
    assert {"liar", "victim"}.isdisjoint(swarm.members.table)


@pytest.mark.parametrize("order", [b"", b"{", b"[]", b'{"fence": 3, "seq": "x"}', b'{"fence": "a"}'])
async def test_a_foreign_order_harms_no_node(lab: Lab, order: bytes) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    worker = await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    task = await play_task(swarm)
    await runs.next()
    await swarm.client.publish(swarm.names.control("w"), order)
    gate.open()
    await task.until("queued", "started", "done")
    assert not worker.task.done()


async def test_nothing_is_said_after_goodbye(lab: Lab) -> None:
    watching = await observer(lab)
    swarm = await lab.door()
    advert = Advert(node="w", run="r1", sid="s", role="worker", slots=1)
    announcer = Announcer(
        swarm.wire,
        swarm.names,
        advert,
        interval=timedelta(milliseconds=20),
        node_timeout=timedelta(seconds=1),
        tasks=tuple,
        repair=swarm.ensure_streams,
    )
    await announcer.join(expected=0, orders=lambda order: None)
    running = asyncio.create_task(announcer.run())
    await asyncio.sleep(0.1)
    await announcer.goodbye()
    await asyncio.wait_for(running, 2)
    await wait_for_async(lambda: watching.members.table["w"].beat.goodbye)
    assert watching.members.status("w") == "offline"
