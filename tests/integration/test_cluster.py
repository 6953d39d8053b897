"""Three servers, three copies of every stream: the death of any one of them stops nothing for long."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from picoclaw.errors import AppendRefused
from picoclaw.swarm.entries import Queued
from picoclaw.swarm.subjects import request_id
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]


@pytest.fixture
def cluster(start_nats: StartNats) -> list[NatsServer]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(3)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports)
    return [
        start_nats(
            config=f"server_name: n{i}\n"
            f"cluster {{ name: test, listen: 127.0.0.1:{port}, routes: [{routes}], no_advertise: true }}\n"
        )
        for i, port in enumerate(ports)
    ]


@pytest.fixture
async def lab(cluster: list[NatsServer], tmp_path: Path) -> AsyncIterator[Lab]:
    lab = Lab(cluster[0].url, tmp_path / "picoclaw")
    lab.nats = replace(lab.nats, urls=tuple(server.url for server in cluster), replicas=3)
    yield lab
    await lab.close(clean=False)


@pytest.mark.long
async def test_the_death_of_the_server_that_leads_the_members_ends_neither_heartbeats_nor_joining(
    lab: Lab, cluster: list[NatsServer]
) -> None:
    runs = Runs()
    coordinator = await lab.coordinator()
    worker = await lab.worker(executors(runs))
    info = await worker.swarm.wire.api(f"STREAM.INFO.{worker.swarm.names.members}")
    cluster[int(info["cluster"]["leader"].removeprefix("n"))].kill()

    async def hears_itself_again() -> bool:
        return worker.swarm.members.hears_itself and coordinator.swarm.members.may_declare

    # 10 to 20 s: the heartbeat that was under way, an election (4 to 7 s seen), then a node timeout.
    await wait_for_async(lambda: not worker.swarm.members.hears_itself, 10)
    await wait_for_async(hears_itself_again, 30)
    late = await lab.worker(executors(runs), name="late")
    await wait_for_async(lambda: late.name in coordinator.swarm.members.table, 10)
    swarm = late.swarm
    assert (await end_of(swarm, await ask(swarm, demand="noop"), 30)).head.state == "done"


async def test_of_many_appends_at_once_one_wins_and_the_others_know_who_was_first(lab: Lab) -> None:
    swarm = await lab.door()
    request = request_id("together")[0]
    entries = [Queued(by=f"n{n}", demand="noop", priority=1, reason="released") for n in range(20)]

    async def append(entry: Queued) -> int:
        try:
            return await swarm.log.append(request, STEP, entry, expected=0, patience=timedelta(seconds=20))
        except AppendRefused:
            return 0

    for _ in range(5):
        # While one is on its way to the copies a replicated stream refuses the others with another code.
        written = [seq for seq in await asyncio.gather(*map(append, entries)) if seq]
        assert len(written) == 1
        await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}")
