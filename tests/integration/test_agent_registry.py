"""The registry of agents: what is no agent, or one that stands under another one's name, is nobody's."""

import asyncio
import json

import pytest

from picoclaw.swarm.agents.record import AgentRecord
from picoclaw.swarm.agents.store import AgentRegistry, key_of, list_agents, write_agent
from picoclaw.swarm.kv import Bucket
from picoclaw.tests.support.swarm import Lab

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


async def test_a_forged_record_is_no_agent_and_changes_none(lab: Lab) -> None:
    await lab.coordinator()
    door = await lab.door()
    mine = AgentRecord(name="mine", system="You are mine.")
    await write_agent(door, mine, by="ann")
    bucket = Bucket(door.wire, door.names.registry)
    forged = AgentRecord(name="mine", system="You are theirs.").to_bytes()
    strange = AgentRecord(name="../../strange").to_bytes()
    garbage = (b"{", b"[" * 10_000, b"\xff", json.dumps({"v": 99, "kind": "agent"}).encode())
    for number, data in enumerate((forged, strange, *garbage)):
        await bucket.put(f"agent.zz{number}", data, expected=0)
    registry = AgentRegistry(door)
    await registry.follow()

    assert [one.record.system for one in await list_agents(door)] == ["You are mine."]
    assert {key: one.system for key, one in registry.agents.items()} == {key_of("mine"): "You are mine."}
    assert await registry.register(mine, by="bob") == "same"


async def test_two_nodes_that_bring_the_same_agent_at_once_agree(lab: Lab) -> None:
    await lab.coordinator()
    registries = [AgentRegistry(await lab.door()) for _ in range(3)]
    mine = AgentRecord(name="mine", system="You are mine.")

    said = await asyncio.gather(*(one.register(mine, by=f"node {n}") for n, one in enumerate(registries)))

    assert sorted(said) == ["new", "same", "same"]
    assert await registries[0].register(AgentRecord(name="mine", system="Another."), by="node 4") == "another"
