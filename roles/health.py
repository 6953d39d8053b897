"""Health: writes down, while a node runs, what health checks on this machine want to know of it."""

import asyncio
import os
from datetime import timedelta

from ..swarm.embedded.health import TURN, Health, HealthFile, Phase, here, now
from ..swarm.embedded.rundir import run_dir
from .node import Node

SOON = timedelta(milliseconds=200)
"""Time between two looks at a node that is on its way into the swarm."""


async def tell_health(node: Node) -> None:
    """Keep the node's file of health current until cancelled; never fails because of the disk."""
    file = HealthFile(run_dir(node.home), node.run)
    beats: tuple[int, float] | None = None
    await node.adverts.begun.wait()  # a node that is refused at once leaves nothing behind
    try:
        while True:
            beats = _last_beat(node, beats)
            file.write(_health(node, beats))
            await _next_turn(node, TURN if beats is not None else SOON)
    finally:
        file.close()


def _health(node: Node, beats: tuple[int, float] | None) -> Health:
    swarm, settings = node.swarm, node.settings.swarm
    return Health(
        node=node.name,
        run=node.run,
        pid=os.getpid(),
        role=settings.role,
        phase=_phase(node),
        connected=swarm is not None and swarm.client.is_connected,
        turned_at=now(),
        beat_at=beats[1] if beats is not None else None,
        node_timeout_s=settings.nats.node_timeout.total_seconds(),
        here=here(),
    )


def _phase(node: Node) -> Phase:
    if node.stop.is_set():
        return "draining"
    return "serving" if node.ready.is_set() else "starting"


def _last_beat(node: Node, known: tuple[int, float] | None) -> tuple[int, float] | None:
    """Return the number of the last heartbeat that came back to the node, and when that was seen."""
    member = node.swarm.members.table.get(node.name) if node.swarm is not None else None
    # A forerunner's heartbeat may still stand under this name.
    if member is None or member.beat.run != node.run:
        return known
    return known if known is not None and known[0] == member.beat.beat else (member.beat.beat, now())


async def _next_turn(node: Node, wait: timedelta) -> None:
    if node.stop.is_set():
        await asyncio.sleep(wait.total_seconds())
        return
    try:
        async with asyncio.timeout(wait.total_seconds()):
            await node.stop.wait()
    except TimeoutError:
        return
