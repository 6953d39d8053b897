"""The account's H-id has one winner, however many first nodes start at once."""

import asyncio

import pytest

from picoclaw.config.settings import NatsSettings
from picoclaw.swarm.connection import connect
from picoclaw.swarm.identity import adopt_hid
from picoclaw.swarm.streams import ensure_shared
from picoclaw.swarm.subjects import SHARED_BUCKET
from picoclaw.swarm.wire import Wire
from picoclaw.tests.support.nats import StartNats

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
