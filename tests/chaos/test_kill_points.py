"""kill -9 at every transition of a task and of a request, before and after each durable write.

A fault point is seen from outside, by the relay that stands before each node (`support.fault_points`);
the product has none. After each the checker reads the whole log.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.entries import Accepted, Started
from picoclaw.swarm.submission import LogEvent, watch
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fault_points import Match, When, writes
from picoclaw.tests.support.figures import figure
from picoclaw.tests.support.fleet import Fleet, fleet_on
from picoclaw.tests.support.nats import StartNats

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

WHENS: tuple[When, ...] = ("before", "after")
ENDS_WITHIN = 25.0
LEADS, HANDS, SPECIALISTS = ("c1", "c2"), ("w1", "w2"), ("s1",)
ROLES = {"c": "coordinator", "w": "worker", "s": "specialist"}
"""By the first letter of a node's name."""


@dataclass(frozen=True)
class Transition:
    """A durable write of a node, and the work that leads to it."""

    name: str
    match: Match
    whose: tuple[str, ...]
    work: dict[str, Any] = field(default_factory=dict)
    state: str = "done"
    lose_worker: bool = False
    """A worker is killed first, in its job: what its owner writes then is the point."""
    lose_owner: bool = False


TRANSITIONS = [
    Transition("started", writes("log", entry="started"), HANDS),
    Transition("task done", writes("log", entry="done", of="task"), HANDS),
    Transition("task ack", writes("ack", subject="lane-"), HANDS),
    Transition("queued again", writes("log", entry="queued"), HANDS, {"fail": 1}),
    Transition("task nak", writes("nak", subject="lane-"), HANDS, {"fail": 1}),
    Transition("task failed", writes("log", entry="failed", of="task"), HANDS, {"refuse": 1}, "failed"),
    Transition("task dead", writes("log", entry="dead"), HANDS, {"fail": 9, "max_attempts": 1}, "failed"),
    Transition("dead letter", writes("dead"), HANDS, {"fail": 9, "max_attempts": 1}, "failed"),
    # It is asked first for what it names, once it asks for work itself.
    Transition("started by a specialist", writes("log", entry="started"), SPECIALISTS),
    Transition("done by a specialist", writes("log", entry="done", of="task"), SPECIALISTS),
    Transition("ack of a specialist", writes("ack", subject="lane-"), SPECIALISTS),
    Transition("accepted", writes("log", entry="accepted"), LEADS),
    Transition("request ack", writes("ack", subject="inbox-"), LEADS),
    Transition("planned", writes("log", entry="planned"), LEADS),
    Transition("queued", writes("log", entry="queued"), LEADS),
    Transition("put on its lane", writes("task"), LEADS),
    Transition("request done", writes("log", entry="done", of="request"), LEADS),
    Transition(
        "queued: node offline", writes("log", entry="queued"), LEADS, {"seconds": 2}, lose_worker=True
    ),
    Transition("handed back", writes("nak", subject="lane-"), LEADS, {"seconds": 2}, lose_worker=True),
    Transition("owner", writes("log", entry="owner"), LEADS, {"seconds": 2}, lose_owner=True),
]


def _cases(*short: str, without_loss: bool = False) -> list[Any]:
    """Return the transitions, of which `make test` has only some."""
    return [
        pytest.param(one, marks=() if one.name in short else pytest.mark.long, id=one.name)
        for one in TRANSITIONS
        if not (without_loss and (one.lose_worker or one.lose_owner or one.whose == SPECIALISTS))
    ]


async def _reach(fleet: Fleet, transition: Transition) -> str:
    """Lead a request to the point; return it."""
    request = await fleet.ask(**{"seconds": 0.2, **transition.work})
    if transition.lose_worker or transition.lose_owner:
        holder = await _holder(fleet, request)
        fleet.kill(holder["worker" if transition.lose_worker else "owner"])
    return request


async def _holder(fleet: Fleet, request: str) -> dict[str, str]:
    found: dict[str, str] = {}
    async for event in watch(fleet.swarm, request):
        if isinstance(event, LogEvent) and isinstance(event.entry, Accepted):
            found["owner"] = event.entry.owner
        if isinstance(event, LogEvent) and isinstance(event.entry, Started):
            return found | {"worker": event.entry.node}
    raise AssertionError(f"{request} ended before anybody started it")


@pytest.mark.parametrize("transition", _cases("started"))
async def test_a_node_killed_with_9_before_and_after_a_write_nothing_is_lost_or_doubled(
    transition: Transition, start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, home: Path, tmp_path: Path
) -> None:
    async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
        names = dict.fromkeys((*LEADS, *HANDS, *transition.whose))
        await fleet.start(*((ROLES[name[0]], name) for name in names))
        for when in WHENS:
            spared = [name for name in transition.whose if fleet.nodes[name].running]
            point = fleet.point(transition.match, when, fleet.kill, among=spared)
            request = await _reach(fleet, transition)
            while transition.whose == SPECIALISTS and not await asyncio.to_thread(point.reached_in, 3.0):
                request = await _reach(fleet, transition)  # a worker was faster: it had asked already
            await point.wait_async()
            with figure(f"kill -9 {when} {transition.name}"):
                ended = await fleet.end(request, ENDS_WITHIN)
            assert ended.head.state == transition.state, ended.head
            await fleet.settled()
            await fleet.back()


@pytest.mark.parametrize("transition", _cases("accepted", without_loss=True))
async def test_the_server_killed_with_9_before_and_after_a_write_nothing_is_lost_or_doubled(
    transition: Transition, start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, home: Path, tmp_path: Path
) -> None:
    async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
        await fleet.start(("coordinator", LEADS[0]), ("worker", HANDS[0]))
        for when in WHENS:
            point = fleet.point(transition.match, when, fleet.kill_server)
            request = await _reach(fleet, transition)
            await point.wait_async()
            with figure(f"server killed {when} {transition.name}"):
                await fleet.back()
                ended = await fleet.end(request, ENDS_WITHIN)
            assert ended.head.state == transition.state, ended.head
            await fleet.settled()
