"""Poison: tasks that fail, kill their worker, hang, leak or return nonsense end with a reason, and work goes on."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.dead_letters import read_letters
from picoclaw.swarm.entries import Dead, Entry, Failed, Queued, Started
from picoclaw.swarm.records import Retry
from picoclaw.swarm.redrive import redrive
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import Nodes, look, may_judge, serving
from picoclaw.tests.support.swarm import STEP, ask, end_of, entries, in_queue, report_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

HID = "poison"
DEFINITIONS = """
capabilities:
  fails:
    shell: 'sh "$TASK_HERE/job.sh"'
    exit_codes: {other: retry}
    retry: {delay: 100ms}
  final:
    shell: 'echo "no such customer" >&2; exit 3'
    exit_codes: {other: retry}
    retry: {attempts: 9, delay: 100ms, final: "*NO SUCH customer*"}
  kills:
    shell: 'kill -9 $(cut -d" " -f4 /proc/$PPID/stat); sleep 600'
  hangs:
    shell: 'echo $$ > "$TASK_HERE/hung.pid"; trap "" TERM; while :; do sleep 1; done'
    grace: 2s
  leaks:
    command: [python3, "-c", "a = []\\nwhile True: a.append(bytearray(2**24))"]
    limits: {memory: 512MB}
    exit_codes: {other: retry}
    retry: {delay: 100ms}
  nonsense: {function: "mine:nonsense"}
  fine:
    shell: 'kill -0 $(cat "$TASK_HERE/hung.pid" || echo 999999999) 2>/dev/null && echo alive || echo gone'
"""
MODULE = """
def nonsense(text):
    return {"of": {1, 2}}
"""
MENDED = "echo mended"
BROKEN = "echo because >&2; exit 3"


@dataclass
class Swarmed:
    """A coordinator, workers by name, and a look into what they wrote."""

    nodes: Nodes
    folder: Path
    run: RunPicoclaw
    swarm: Swarm
    workers: dict[str, Spawned]

    def worker(self, name: str, *args: str) -> Spawned:
        node = self.nodes.begin("worker", name, *args)
        self.workers[name] = serving(node)
        return node

    async def state(self, request: str) -> str:
        """Wait for a request's end."""
        return str((await end_of(self.swarm, request, 90)).head.state)

    async def data(self, capability: str) -> Any:
        return await self.result(await ask(self.swarm, demand=capability))

    async def result(self, request: str) -> Any:
        return report_of(await end_of(self.swarm, request, 60))["tasks"][0]["data"]

    def verb(self, *args: str) -> tuple[int, str]:
        ran = self.run(*args, *self.nodes.connection, timeout=60)
        return ran.returncode, ran.stdout + ran.stderr

    async def log(self, request: str) -> list[Entry]:
        return await entries(self.swarm, request, STEP)


@pytest.fixture
async def swarmed(
    start_nats: StartNats,
    spawn_picoclaw: SpawnPicoclaw,
    run_picoclaw: RunPicoclaw,
    home: Path,
    tmp_path: Path,
) -> AsyncIterator[Swarmed]:
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(DEFINITIONS)
    (folder / "mine.py").write_text(MODULE)
    (folder / "job.sh").write_text(BROKEN)
    url = start_nats().url
    nodes = Nodes(spawn_picoclaw, "--swarm.hid", HID, "--swarm.nats.urls", url)
    nodes.start(("coordinator", "lead"))
    async with look(url, HID, tmp_path) as lab:
        yield Swarmed(nodes, folder, run_picoclaw, await lab.door(make=False), {})


@pytest.mark.long
async def test_tasks_that_cannot_succeed_end_with_a_reason_and_go_again_once_mended(swarmed: Swarmed) -> None:
    swarmed.worker("hand", "--swarm.max_concurrent", "1")
    await _hangs(swarmed)
    names = ("fails", "final", "leaks", "nonsense")
    sent = {name: await ask(swarmed.swarm, demand=name) for name in names}
    assert [await swarmed.state(request) for request in sent.values()] == ["failed"] * len(sent)
    last = {name: (await swarmed.log(request))[-1] for name, request in sent.items()}

    for name in ("fails", "leaks"):
        dead = last[name]
        assert isinstance(dead, Dead)
        assert (dead.attempt, dead.node) == (3, "hand")
        starts = [entry.attempt for entry in await swarmed.log(sent[name]) if isinstance(entry, Started)]
        assert starts == [1, 2, 3]
    assert "fails: exit code 3: because" in last["fails"].error  # type: ignore[union-attr]
    assert "MemoryError" in last["leaks"].error  # type: ignore[union-attr]
    for name, said in (("final", "no such customer (final by"), ("nonsense", "has no JSON form")):
        failed = last[name]
        assert isinstance(failed, Failed)
        assert (failed.attempt, said in failed.error) == (1, True), failed.error

    _, listed = swarmed.verb("dlq", "list", "--json")
    assert {letter["id"] for letter in json.loads(listed)} == {
        f"{sent[n]}.{STEP}" for n in ("fails", "leaks")
    }
    assert await swarmed.data("fine") == "gone"
    assert swarmed.workers["hand"].running

    (swarmed.folder / "job.sh").write_text(MENDED)
    code, told = swarmed.verb("dlq", "redrive", sent["fails"])
    assert code == 0, told
    again = re.findall(r"goes again as (r-[a-z2-7]{16})", told)
    assert await swarmed.state(again[0]) == "done"
    _, described = swarmed.verb("describe", "request", again[0])
    assert re.search(rf"Retries: +{sent['fails']}", described), described
    assert swarmed.verb("dlq", "list", "-o", "name")[1].split() == [f"{sent['leaks']}.{STEP}"]
    # Nothing is left to do of what was done.
    code, told = swarmed.verb("retry", again[0])
    assert (code, "is done" in told) == (2, True), told


async def _hangs(swarmed: Swarmed) -> None:
    """It ends at its deadline, and frees the one slot of its worker when its job is gone."""
    request = await ask(swarmed.swarm, demand="hangs", task_deadline=timedelta(seconds=2))

    async def hung() -> bool:
        return (swarmed.folder / "hung.pid").exists()

    await wait_for_async(hung, 20)
    after = await ask(swarmed.swarm, demand="fine")
    assert await swarmed.state(request) == "failed"
    failed = (await swarmed.log(request))[-1]
    assert isinstance(failed, Failed)
    assert (failed.reason, "deadline of 2 s passed in attempt 1, on hand" in failed.error) == (
        "deadline",
        True,
    )
    result = await swarmed.result(after)
    # It ignored SIGTERM for its whole grace: the next job found the slot, and its process gone.
    assert result == "gone"
    begun = next(entry for entry in await swarmed.log(after) if isinstance(entry, Started))
    assert begun.at - failed.at >= 1.5
    swarmed.workers["hand"].expect("was fenced and stopped")


@pytest.mark.long
async def test_a_task_that_kills_its_worker_costs_as_many_as_it_has_attempts_and_no_more(
    swarmed: Swarmed,
) -> None:
    for name in ("one", "two", "three"):
        swarmed.worker(name)
    await may_judge(swarmed.swarm, "lead")
    request = await ask(swarmed.swarm, demand="kills", retry=Retry(attempts=2, first_s=0.1))
    assert await swarmed.state(request) == "failed"
    log = await swarmed.log(request)
    dead = log[-1]
    assert isinstance(dead, Dead)
    starts = [entry for entry in log if isinstance(entry, Started)]
    lost = [entry for entry in log if isinstance(entry, Queued) and entry.attempt > 1]
    assert [entry.attempt for entry in starts] == [1, 2]
    assert [entry.reason for entry in lost] == [f"node offline: {starts[0].node}"]
    assert dead.error == f"node offline: {starts[1].node}"
    killed = {entry.node for entry in starts}
    assert {name for name, node in swarmed.workers.items() if not node.running} == killed
    assert await swarmed.data("fine") == "gone"
    _, shown = swarmed.verb("dlq", "show", request)
    assert dead.error in shown
    assert await in_queue(swarmed.swarm) == 0
    # Whoever starts again serves on.
    swarmed.worker(starts[1].node)
    assert await swarmed.data("fine") == "gone"


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_many_poisonous_tasks_among_good_ones_take_nothing_with_them(swarmed: Swarmed) -> None:
    swarmed.worker("one")
    swarmed.worker("two")
    swarm = swarmed.swarm
    bad = [
        await ask(swarm, demand=name, max_attempts=2)
        for _ in range(10)
        for name in ("fails", "leaks", "final")
    ]
    good = [await ask(swarm, demand="fine") for _ in range(30)]
    assert {(await end_of(swarm, request, 120)).head.state for request in good} == {"done"}
    assert {(await end_of(swarm, request, 120)).head.state for request in bad} == {"failed"}
    assert all(node.running for node in swarmed.workers.values())
    letters = await read_letters(swarm)
    assert len(letters) == 20
    (swarmed.folder / "job.sh").write_text(MENDED)
    outcomes = await redrive(swarm, letters)
    states = [(await end_of(swarm, outcome.request, 120)).head.state for outcome in outcomes]
    assert sorted(states) == ["done"] * 10 + ["failed"] * 10
    assert await in_queue(swarm) == 0
