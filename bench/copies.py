"""Copies: what three copies of each stream cost beside one, on the same cluster of three servers."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import nats

from picoclaw.config.settings import NatsSettings
from picoclaw.swarm.connection import connect
from picoclaw.swarm.swarm import open_swarm

from .children import Children
from .cluster import cluster
from .figures import Trips, percentile
from .ours import Ours

T = TypeVar("T")
PATIENCE = 60.0
_RETRY = 0.2
_MESSAGES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one number of copies costs."""

    replicas: int
    rate: float
    """Our tasks per second, one worker."""
    trip_ms: float
    """One of our requests there and back, p50."""
    store_ms: float
    """Bare nats-py: one publish into a file stream and its PubAck, p50."""


async def measure_copies(tasks: int, singles: int, slots: int, folder: Path) -> tuple[Cost, ...]:
    """Measure one copy and three, one after the other, each on streams of its own."""
    async with cluster(folder) as urls:
        return tuple([await _measure(urls, replicas, tasks, singles, slots, folder) for replicas in (1, 3)])


async def _measure(
    urls: tuple[str, ...], replicas: int, tasks: int, singles: int, slots: int, folder: Path
) -> Cost:
    settings = replace(NatsSettings(), urls=urls, replicas=replicas)
    store = await _bare(urls, replicas)
    hid = f"copies-{replicas}"

    async def dial(
        disconnected: Callable[[], Awaitable[None]], reconnected: Callable[[], Awaitable[None]]
    ) -> Any:
        return await connect(settings, name="bench", on_disconnect=disconnected, on_reconnect=reconnected)

    told = {
        "urls": list(urls), "credentials": None, "replicas": replicas, "hid": hid, "slots": slots,
        "home": str(folder / hid),
    }  # fmt: skip
    logs = folder / f"logs-{replicas}"
    logs.mkdir()
    async with Children(logs) as children, open_swarm(dial, settings, hid=hid) as swarm:
        lead = await children.start(
            "node", role="coordinator", name="lead", templates=[1, tasks, tasks // 10], **told
        )
        hand = await children.start("node", role="worker", name="hand", **told)
        await asyncio.gather(lead.ready(), hand.ready())
        ours, trips = Ours(swarm), Trips()
        await ours.burst(tasks // 10)
        rates = [(await ours.burst(tasks)).rate for _ in range(3)]
        for _ in range(singles):
            await ours.trip(1, trips)
    return Cost(
        replicas=replicas,
        rate=statistics.median(rates),
        trip_ms=1000 * percentile(trips.whole, 0.5),
        store_ms=1000 * store,
    )


async def _bare(urls: tuple[str, ...], replicas: int) -> float:
    """Return how long bare nats-py's publish into such a stream takes, p50 in seconds."""
    client = await _patient(lambda: nats.connect(list(urls), error_cb=_quiet))
    try:
        stream, name = client.jetstream(timeout=5), f"bare{replicas}"
        await _patient(lambda: stream.add_stream(name=name, subjects=[f"{name}.>"], num_replicas=replicas))
        await _patient(lambda: stream.publish(f"{name}.first", b"x"))
        taken = []
        for number in range(_MESSAGES):
            at = time.perf_counter()
            await stream.publish(f"{name}.{number}", b"x" * 256)
            taken.append(time.perf_counter() - at)
        return percentile(taken, 0.5)
    finally:
        await client.close()


async def _patient(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until it works: a cluster that has just started elects its leaders for some seconds."""
    began = time.monotonic()
    while True:
        try:
            return await ask()
        except (nats.errors.Error, OSError, TimeoutError):
            if time.monotonic() - began > PATIENCE:
                raise
            await asyncio.sleep(_RETRY)


async def _quiet(_: Exception) -> None:
    return
