"""A foreign client with our rights writes garbage everywhere: it is named, counted, and the work goes on."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from picoclaw.swarm.demand import Demand
from picoclaw.swarm.lanes import lane_key
from picoclaw.swarm.subjects import request_id
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.wire import ApiError
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.flood import all_ended, flood, usual_seconds
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import look, serving
from picoclaw.tests.support.swarm import STEP, ask
from picoclaw.tests.support.swarm_node import ChildNode

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

HID = "foreign"
GARBAGE = (b"\xff\xfe no text", b'{"hello": "world", "v": 1}', b"[" * 5_000, b"null", b'{"v": 2}')


def subjects(swarm: Swarm, number: int) -> list[str]:
    """One subject of each kind, another one for each number where there are many."""
    names, nobody = swarm.names, request_id(f"nobody {number}")[0]
    return [
        names.log_of(nobody),
        names.log_of(nobody, STEP),
        names.inbox(1, nobody),
        names.task(lane_key(Demand(("noop",))), 1, nobody, STEP),
        names.delay(nobody, STEP),
        names.event(nobody, STEP),
        names.member(f"ghost-{number % 50}"),
        names.member("lead"),
        names.dead_letter(nobody, STEP),
        names.control("lead"),
        names.probe("lead"),
        swarm.lanes.bucket.subject("no-lane-of-ours"),
        swarm.leases.subject("nobodys-duty"),
        swarm.live.bucket.subject("nobodys-key"),
    ]


async def write_garbage(swarm: Swarm, rounds: int) -> int:
    """Write on each of our subjects, again and again; return how much was taken."""
    written = 0
    for number in range(rounds):
        for place, subject in enumerate(subjects(swarm, number)):
            try:
                await swarm.wire.send(subject, GARBAGE[(number + place) % len(GARBAGE)])
            except ApiError:
                continue
            written += 1
    await swarm.client.flush(timeout=30)
    return written


@pytest.mark.parametrize("rounds", [50, pytest.param(5_000, marks=pytest.mark.long)])
async def test_garbage_on_every_subject_is_named_counted_and_survived(
    start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, tmp_path: Path, rounds: int
) -> None:
    url = start_nats().url
    lead = spawn_picoclaw(
        "--swarm.role", "coordinator", "--swarm.name", "lead", "--swarm.hid", HID, "--swarm.nats.urls", url,
        "--swarm.nats.heartbeat_interval", "1s", "--swarm.nats.node_timeout", "5s",
    )  # fmt: skip
    await asyncio.to_thread(serving, lead, 30)
    async with look(url, HID, tmp_path) as lab:
        door = await lab.door(make=False)
        hand = await ChildNode.start(lab, "worker", "hand", quiet=True)
        try:
            running = await flood(door, 300)
            lone = await usual_seconds(door, 3)
            memory = psutil.Process(lead.pid).memory_info().rss
            written = await write_garbage(door, rounds)
            beside = await usual_seconds(door, 3)

            later = [await ask(door, demand="noop") for _ in range(10)]
            assert await all_ended(door, [running, *later], 60) == ["done"] * 11
            assert lead.running
            assert hand.process.returncode is None
            grown = psutil.Process(lead.pid).memory_info().rss - memory
        finally:
            await hand.kill()

    lines = foreign_lines(lead)
    print(
        f"\nforeign: {written:,} messages of garbage, {len(lines)} lines of log, memory +{grown / 1e6:.1f} MB; a small "
        f"request takes {lone * 1000:.0f} ms before, {beside * 1000:.0f} ms after"
    )
    families = Counter(
        match.group(1)
        for line in lines
        if (match := re.search(r"message on (?:\S+\.)?foreign-\w+\.(\w+)", line))
    )
    assert {"log", "request", "node", "control"} <= families.keys(), lines
    assert len(lines) < 120
    assert grown < 60e6


def foreign_lines(node: Spawned) -> list[str]:
    """What a node logged of messages that are none of ours."""
    said: Iterable[str] = (str(json.loads(line)["event"]) for line in node.lines if line.startswith("{"))
    return [line for line in said if "foreign message" in line or "refused" in line]
