"""Mixed load with kills at random for ten minutes: whatever was used comes back to where it began.

SOAK_SECONDS makes it shorter or longer; SOAK_SEED repeats the kills of an earlier run.
"""

import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.fleet import HID, Fleet, fleet_on
from picoclaw.tests.support.mixed_load import MixedLoad
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.used import Used, leaks, look_at, rows
from picoclaw.tests.support.waiting import wait_for_async

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
WARM_UP = 20.0
"""Seconds of load before the first look: what a process loads once is no leak."""
FORGOTTEN = 60.0
"""Seconds in which the server has forgotten the consumers of processes that are gone."""
STAY = ("c1", "w1")
MORTAL = ("c2", "w2", "w3")

pytestmark = [pytest.mark.chaos, pytest.mark.soak, pytest.mark.timeout(SECONDS + 400)]


async def at_rest(fleet: Fleet, prune: RunPicoclaw) -> Used:
    """Wait until all has ended, check the log, remove what has ended, and look."""
    await fleet.settled(120)
    url = fleet.server.url
    said = await asyncio.to_thread(
        prune, "prune", "--older-than", "0s", "--swarm.hid", HID, "--swarm.nats.urls", url, timeout=120
    )
    assert said.returncode == 0, said.stderr
    fleet.handed_in.clear()
    fleet.records.unlink(missing_ok=True)
    pids = {name: fleet.nodes[name].pid for name in STAY} | {"nats-server": fleet.server.pid}
    return await look_at(fleet.swarm, pids)


async def harm(fleet: Fleet, chance: random.Random, until: float) -> Counter[str]:
    """Kill and stop nodes at random, and bring them back."""
    done: Counter[str] = Counter()
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(2.0, 6.0))
        name = chance.choice(MORTAL)
        if chance.random() < 0.7:
            fleet.kill(name)
            done["killed"] += 1
            await asyncio.sleep(chance.uniform(0.0, 3.0))
            fleet.again(name)
            await fleet.serving(name)
        else:
            fleet.stop(name)
            done["stopped"] += 1
            await asyncio.sleep(chance.uniform(0.5, 5.0))
            fleet.cont(name)
            await asyncio.sleep(0)
            if not fleet.nodes[name].running:
                fleet.again(name)
                await fleet.serving(name)
    return done


async def test_what_was_used_comes_back_to_where_it_began(
    start_nats: StartNats,
    spawn_picoclaw: SpawnPicoclaw,
    run_picoclaw: RunPicoclaw,
    home: Path,
    tmp_path: Path,
) -> None:
    print(f"\nsoak: {SECONDS:.0f} s, SOAK_SEED={SEED}")
    chance = random.Random(SEED)
    async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
        await fleet.start(
            *(("coordinator" if n[0] == "c" else "worker", n) for n in STAY + MORTAL), relayed=False
        )
        async with MixedLoad(fleet, chance):
            await asyncio.sleep(WARM_UP)
        before = await at_rest(fleet, run_picoclaw)

        async with MixedLoad(fleet, chance) as load:
            harmed = await harm(fleet, chance, time.monotonic() + SECONDS)
            await fleet.back()
        after = await at_rest(fleet, run_picoclaw)

        async def came_back() -> bool:
            nonlocal after
            after = await look_at(fleet.swarm, {name: _pid(fleet, name) for name in after.memory})
            return not leaks(before, after)

        try:
            await wait_for_async(came_back, FORGOTTEN)
        finally:
            print("\n".join([*rows(before, after), f"harm: {dict(harmed)}", f"ends: {dict(load.ends)}"]))


def _pid(fleet: Fleet, name: str) -> int:
    return fleet.nodes[name].pid if name in fleet.nodes else fleet.server.pid
