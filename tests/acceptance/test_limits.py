"""`picoclaw limits` and `picoclaw prune` by the real command, and a cap over real worker processes."""

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import Nodes, look, may_judge
from picoclaw.tests.support.quoted import says
from picoclaw.tests.support.swarm import ask, end_of
from picoclaw.tests.support.waiting import wait_for, wait_for_async

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

BEAT = 0.1
"""Seconds between two beats of a job."""


class Jobs:
    """The capability `hold`: jobs that write down when they live, and the workers that serve it."""

    def __init__(self, home: Path, nodes: Nodes) -> None:
        self.book = home / "jobs.txt"
        self.nodes = nodes
        folder = home / ".picoclaw" / "capabilities"
        folder.mkdir(parents=True)
        beat = f'echo "$$ $(date +%s.%N)" >> {self.book}; sleep {BEAT}'
        loop = f"n=0; while [ $n -lt $TASK_INPUT_BEATS ]; do n=$((n+1)); {beat}; done"
        (folder / "hold.yaml").write_text(f"capabilities:\n  hold:\n    shell: '{loop}'\n", encoding="utf-8")

    def workers(self, *names: str, ack_wait: str = "30s") -> dict[str, Spawned]:
        """Start a coordinator named `lead`, and workers."""
        told = ("--swarm.capabilities", "hold", "--swarm.nats.ack_wait", ack_wait)
        lead = ("coordinator", "lead", "--swarm.nats.ack_wait", ack_wait)
        started = self.nodes.start(lead, *(("worker", name, *told) for name in names))
        return dict(zip(names, started[1:], strict=True))

    def lives(self) -> dict[str, tuple[float, float]]:
        """Each job's first and last beat, by its process."""
        found: dict[str, tuple[float, float]] = {}
        for line in self.book.read_text().splitlines() if self.book.exists() else ():
            pid, at = line.split()
            first, _ = found.get(pid, (float(at), 0.0))
            found[pid] = (first, float(at))
        return found

    def most(self) -> int:
        """Most jobs that lived at once."""
        lives = self.lives().values()
        return max(sum(first <= begin <= last for first, last in lives) for begin, _ in lives)


@pytest.fixture
def url(start_nats: StartNats) -> str:
    return start_nats().url


@pytest.fixture
def jobs(url: str, home: Path, spawn_picoclaw: SpawnPicoclaw) -> Jobs:
    return Jobs(home, Nodes(spawn_picoclaw, "--swarm.hid", "caps", "--swarm.nats.urls", url))


async def done(swarm: Swarm, requests: list[str]) -> None:
    ends = await asyncio.gather(*(end_of(swarm, request, 60) for request in requests))
    assert {end.head.state for end in ends} == {"done"}


async def holder(swarm: Swarm, of: dict[str, Spawned]) -> str:
    """A worker that runs a job now."""

    async def busy() -> str | None:
        await swarm.read_members()
        table = swarm.members.table
        return next((name for name in of if name in table and table[name].beat.tasks), None)

    return await wait_for_async(busy, 20)


@pytest.mark.long
async def test_never_more_than_two_jobs_at_once_over_three_workers_one_of_them_killed(
    jobs: Jobs, url: str, tmp_path: Path, run_picoclaw: RunPicoclaw
) -> None:
    workers = jobs.workers("a", "b", "c")
    assert run_picoclaw("limits", "set", "cap.hold=2", *jobs.nodes.connection).returncode == 0
    async with look(url, "caps", tmp_path) as lab:
        swarm = await lab.door(make=False)
        requests = [await ask(swarm, demand="hold", input={"beats": 6}) for _ in range(8)]
        victim = await holder(swarm, workers)
        workers.pop(victim).kill9()
        await done(swarm, requests)
        shown = json.loads(run_picoclaw("limits", "--json", *jobs.nodes.connection).stdout)
        assert shown["caps"]["hold"]["cap"] == 2
    assert jobs.most() == 2
    assert len(jobs.lives()) >= 8


@pytest.mark.long
async def test_a_worker_frozen_past_its_lease_is_followed_and_ends_its_job_first_thing_when_it_thaws(
    jobs: Jobs, url: str, tmp_path: Path, run_picoclaw: RunPicoclaw
) -> None:
    workers = jobs.workers("a", "b", ack_wait="4s")
    assert run_picoclaw("limits", "set", "cap.hold=1", *jobs.nodes.connection).returncode == 0
    async with look(url, "caps", tmp_path) as lab:
        swarm = await lab.door(make=False)
        await may_judge(swarm, "lead")
        first = await ask(swarm, demand="hold", input={"beats": 300})
        frozen = workers[await holder(swarm, workers)]
        old = wait_for(lambda: next(iter(jobs.lives()), None), 10)
        frozen.signal(signal.SIGSTOP)
        second = wait_for(lambda: next((pid for pid in jobs.lives() if pid != old), None), 20)
        assert jobs.lives()[second][0] - jobs.lives()[old][0] > 2, "not before its lease was over"
        frozen.signal(signal.SIGCONT)
        thawed = time.time()
        wait_for(lambda: time.time() - jobs.lives()[old][1] > 1 or None, 10, "its job has ended")
        assert jobs.lives()[old][1] - thawed < 3
        assert run_picoclaw("cancel", first, *jobs.nodes.connection).returncode == 0


class Verbs:
    """The command in a swarm of its own."""

    def __init__(self, run: RunPicoclaw, *connection: str) -> None:
        self._run = run
        self._connection = connection

    def __call__(self, *args: str, code: int = 0) -> str:
        ended = self._run(*args, *self._connection)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr


@pytest.fixture
def verbs(jobs: Jobs, run_picoclaw: RunPicoclaw) -> Verbs:
    return Verbs(run_picoclaw, *jobs.nodes.connection)


def test_limits_are_shown_set_and_unset_and_bad_ones_change_nothing(jobs: Jobs, verbs: Verbs) -> None:
    jobs.workers()
    before = verbs("limits")
    assert "cap.CAPABILITY" in before
    assert "7d" in before
    said = verbs("limits", "set", "cap.Code=4", "request.running=50", "keep.requests=3d", "size.log=2GiB")
    assert "cap.code: 4 (it was not set)" in said
    shown = json.loads(verbs("limits", "show", "--json"))
    assert shown["limits"]["keep.requests"] == 259_200
    assert shown["limits"]["size.log"] == 2 << 30
    assert shown["caps"]["code"] == {"cap": 4, "used": 0, "nodes": []}
    assert set(shown["set"]) == {"cap.code", "request.running", "keep.requests", "size.log"}

    wrong = verbs(
        "limits", "set", "cap.code=1", "tenant.runing=3", "keep.requests=3", "size.log=12", "x", code=2
    )
    for words in (
        "did you mean 'tenant.running'?",
        "has no unit",
        "give a number and its unit, such as 512MiB or 2GiB",
        "'x' is not NAME=VALUE",
        "nothing was changed",
    ):
        assert words in wrong
    assert json.loads(verbs("limits", "--json"))["caps"]["code"]["cap"] == 4

    assert "cap.code: not set any more (it was 4)" in verbs("limits", "unset", "cap.code")
    assert json.loads(verbs("limits", "--json"))["caps"] == {}


async def test_a_paused_capability_says_so_and_goes_on_when_it_is_unset(
    jobs: Jobs, verbs: Verbs, url: str, tmp_path: Path
) -> None:
    jobs.workers("a")
    verbs("limits", "set", "cap.hold=0")
    async with look(url, "caps", tmp_path) as lab:
        swarm = await lab.door(make=False)
        request = await ask(swarm, demand="hold", input={"beats": 1})

        async def waits() -> bool:
            head = await swarm.log.head(request, "task")
            return head.state == "queued"

        await wait_for_async(waits)
        assert says(verbs("describe", "task", f"{request}.task"), "A quota is reached", 2)
        verbs("limits", "set", "tenant.queued=1")
        assert says(verbs("dispatch", "Hold", "-c", "hold", "--detach", code=1), "A quota is reached", 0)
        assert "the cap of hold is 0" in verbs("get", "lanes", "-o", "wide")
        assert "has not ended: cancel it first" in verbs("prune", "last", code=2)
        used = json.loads(verbs("limits", "--json"))
        assert (used["open"], used["inbox"]) == (1, 0)
        assert "1 open, 0 of them in the inbox" in verbs("limits")
        verbs("limits", "unset", "cap.hold")
        await done(swarm, [request])
        assert "prune what?" in verbs("prune", code=2)
        assert f"would remove {request} (done" in verbs("prune", request, "--dry-run")
        assert "\n1 request to remove" in verbs("prune", "LAST", "--dry-run")
        pruned = json.loads(verbs("prune", "--older-than", "0s", "--json"))
        assert [one["id"] for one in pruned["removed"]] == [request]
        assert pruned["entries"] >= 5
        verbs("describe", "request", request, code=2)
