"""A broadcast while nodes die, hang, or lose their coordinator: each node is asked once, and the end is right."""

import asyncio
import signal
from pathlib import Path

import pytest

from picoclaw.swarm.entries import Entry, Owner
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import Nodes, look, may_judge
from picoclaw.tests.support.swarm import end_of, entries, report_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(90)]

HID = "chaos"
WORKERS = ("w-1", "w-2", "w-3")


@pytest.fixture
def url(start_nats: StartNats) -> str:
    return start_nats().url


@pytest.fixture
def nodes(url: str, spawn_picoclaw: SpawnPicoclaw) -> Nodes:
    return Nodes(spawn_picoclaw, "--swarm.hid", HID, "--swarm.nats.urls", url)


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """The file for which every node waits before it answers."""
    return tmp_path / "open"


@pytest.fixture
def workers(nodes: Nodes, opened: Path, tmp_path: Path) -> dict[str, Spawned]:
    file = tmp_path / "gate.yaml"
    file.write_text(
        f'capabilities:\n  gate: {{shell: "echo ran; while [ ! -e {opened} ]; do sleep 0.05; done", grace: 100ms}}\n'
    )
    told = ("--swarm.capabilities", "gate", "--capabilities.path", str(file))
    started = nodes.start(*(("worker", name, *told) for name in WORKERS))
    return dict(zip(WORKERS, started, strict=True))


def asked(nodes: Nodes, *args: str) -> tuple[Spawned, str]:
    """Send the broadcast, and wait until each node runs it."""
    door, request = nodes.dispatch("Go", "-c", "gate", "--broadcast", *args)
    for name in WORKERS:
        door.expect(f"{name} +running on {name}", 20)
    return door, request


def starts(log: list[Entry]) -> int:
    return sum(1 for entry in log if entry.kind == "started")


@pytest.mark.long
async def test_one_node_killed_and_one_stopped_the_quorum_of_the_rest_decides(
    nodes: Nodes, workers: dict[str, Spawned], url: str, opened: Path, tmp_path: Path
) -> None:
    nodes.start(("coordinator", "lead"))
    async with look(url, HID, tmp_path) as lab:
        swarm = await lab.door(make=False)
        await may_judge(swarm, "lead")
        met, first = asked(nodes, "--quorum", "1")
        workers["w-1"].kill9()
        workers["w-2"].signal(signal.SIGSTOP)
        await asyncio.to_thread(opened.touch)

        # Both are given up once they have been away for their node timeout, without any time limit.
        assert met.finish(40) == 0, met.output
        report = report_of(await end_of(swarm, first))
        silent = {node["node"]: node["state"] for node in report["nodes"] if node["state"] != "done"}
        assert silent == {"w-1": "failed", "w-2": "failed"}
        assert (report["answered"], report["quorum"]) == (1, 1)

        workers["w-2"].signal(signal.SIGCONT)
        again, second = nodes.dispatch("Go", "-c", "gate", "--broadcast", "--quorum", "2", "--within", "20s")
        assert again.finish(40) in (0, 1)
        # What the stopped one ran was fenced: its answer to the first broadcast came too late.
        log = await entries(swarm, first, "w-2")
        assert [entry.kind for entry in log].count("done") == 0
        assert (await entries(swarm, second))[-1].kind in ("done", "failed")


@pytest.mark.long
async def test_the_coordinator_killed_in_the_middle_nobody_is_asked_twice(
    nodes: Nodes, workers: dict[str, Spawned], url: str, opened: Path, tmp_path: Path
) -> None:
    leads = dict(
        zip(("left", "right"), nodes.start(("coordinator", "left"), ("coordinator", "right")), strict=True)
    )
    async with look(url, HID, tmp_path) as lab:
        swarm = await lab.door(make=False)
        await may_judge(swarm, "left")
        await may_judge(swarm, "right")
        door, request = asked(nodes)
        owner = door.expect(r"accepted by (\w+)").group(1)
        leads.pop(owner).kill9()
        door.expect(f"taken over by {next(iter(leads))}", 20)
        await asyncio.to_thread(opened.touch)

        assert door.finish(30) == 0, door.output
        assert "3 of 3 nodes answered." in door.output
        for name in WORKERS:
            assert starts(await entries(swarm, request, name)) == 1
        own = await entries(swarm, request)
        assert [entry.kind for entry in own] == ["accepted", "planned", "owner", "done"]
        assert any(isinstance(entry, Owner) for entry in own)


@pytest.mark.long
async def test_a_limit_ends_what_a_stopped_node_holds(
    nodes: Nodes, workers: dict[str, Spawned], url: str, opened: Path, tmp_path: Path
) -> None:
    nodes.start(("coordinator", "lead"))
    door, request = asked(nodes, "--quorum", "2", "--within", "4s")
    workers["w-3"].signal(signal.SIGSTOP)
    await asyncio.to_thread(opened.touch)

    assert door.finish(20) == 0, door.output
    async with look(url, HID, tmp_path) as lab:
        swarm = await lab.door(make=False)
        report = report_of(await end_of(swarm, request))
    assert report["missing"] == ["w-3: failed: deadline: it did not answer within 4 s"]
