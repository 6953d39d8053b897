"""Beats: what other nodes' heartbeats cost a coordinator."""

import asyncio
from dataclasses import dataclass

import psutil

from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.records import new_id
from picoclaw.swarm.swarm import Swarm

from .ours_node import CAPABILITY

_INTERVAL = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """What a coordinator used while so many nodes sent heartbeats."""

    nodes: int
    beats: int
    cpu_per_1000: float
    """CPU seconds per 1,000 heartbeats, what it uses without them taken off."""
    idle: float
    """Share of a core that it uses with nobody there."""
    grown_mb: float
    """Memory that the table of so many nodes takes."""


async def measure_beats(swarm: Swarm, pid: int, *, nodes: int, rounds: int) -> Beats:
    """Have `nodes` nodes that do not exist send `rounds` heartbeats each, a tenth of their interval apart."""
    process, loop = psutil.Process(pid), asyncio.get_running_loop()
    began, used = loop.time(), _cpu(process)
    await asyncio.sleep(_INTERVAL / 2)
    idle = (_cpu(process) - used) / (loop.time() - began)
    runs, before = [new_id() for _ in range(nodes)], process.memory_info().rss
    began, used = loop.time(), _cpu(process)
    for beat in range(1, rounds + 1):
        until = began + beat * _INTERVAL / 10
        for number, run in enumerate(runs):
            heartbeat = _heartbeat(number, run, beat, goodbye=beat == rounds)
            await swarm.wire.send(swarm.names.member(heartbeat.node), heartbeat.to_bytes())
        await asyncio.sleep(max(0.0, until - loop.time()))
    seconds, cpu = loop.time() - began, _cpu(process) - used
    beats = nodes * rounds
    return Beats(
        nodes=nodes,
        beats=beats,
        cpu_per_1000=max(0.0, cpu - idle * seconds) / beats * 1000,
        idle=idle,
        grown_mb=(process.memory_info().rss - before) / 1e6,
    )


def _heartbeat(number: int, run: str, beat: int, *, goodbye: bool) -> Heartbeat:
    return Heartbeat(
        node=f"beat-{number}", run=run, role="worker", beat=beat, interval_s=_INTERVAL, timeout_s=6 * _INTERVAL,
        slots=4, capabilities=("code", "docs", "security", "testing"), general=True, goodbye=goodbye,
        not_ready={"research": "needs a model"}, labels={"site": "berlin", "not": CAPABILITY},
        started=float(beat), host="nowhere", pid=1, version="0",
    )  # fmt: skip


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
