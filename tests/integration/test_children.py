"""Children under their supervisor: whatever they do, and whatever becomes of the node, nothing of them is left."""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from picoclaw.capabilities.child.run import ChildEnd, ChildOrder, run_child
from picoclaw.errors import RetryableError, SwarmError
from picoclaw.tests.support.waiting import wait_for, wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

LINUX = sys.platform == "linux"
MARK = "PICOCLAW_TEST_CHILD"


class Children:
    """Runs children whose processes all bear this test's mark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        self.said: list[tuple[str, float | None]] = []

    def order(self, *argv: str, **how: Any) -> ChildOrder:
        usual: dict[str, Any] = {
            "cwd": self.work,
            "env": {"PATH": os.environ["PATH"], MARK: str(self.folder)},
            "folder": self.folder,
            "timeout": timedelta(seconds=20),
            "grace": timedelta(seconds=0.2),
            "keep": 1000,
            "cap": 100_000,
        }
        return ChildOrder(argv=argv, **(usual | how))

    async def tell(self, message: str, fraction: float | None) -> None:
        self.said.append((message, fraction))

    async def run(self, script: str, **how: Any) -> ChildEnd:
        end = await run_child(self.order("sh", "-c", script, **how), self.tell)
        assert self.living() == []
        return end

    def living(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(MARK) == str(self.folder)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[Children]:
    made = Children(tmp_path)
    yield made
    assert made.living() == []


async def test_its_output_its_input_and_its_code_come_back(children: Children) -> None:
    end = await children.run("cat; echo why >&2; pwd; exit 7", stdin=b"in\n")
    assert (end.code, end.signal, end.timed_out) == (7, None, False)
    assert end.stdout.shown.decode() == f"in\n{children.work}\n"
    assert end.stderr == b"why\n"


async def test_input_that_nobody_reads_is_no_error(children: Children) -> None:
    assert (await children.run("exit 0", stdin=b"x" * 3_000_000)).code == 0


async def test_what_cannot_be_started_is_said(children: Children) -> None:
    (children.work / "text").write_text("no program")
    (children.work / "text").chmod(0o700)
    assert "No such file" in (await run_child(children.order("no-such-program"))).refused
    assert "Exec format" in (await run_child(children.order(str(children.work / "text")))).refused


async def test_the_time_out_ends_what_ignores_sigterm_and_what_detached_itself(children: Children) -> None:
    end = await children.run(
        "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 600' &) ; sleep 601 & wait; sleep 602",
        timeout=timedelta(seconds=1),
    )
    assert (end.code, end.timed_out) == (None, True)


async def test_sigterm_lets_it_tidy_up(children: Children) -> None:
    end = await children.run(
        "trap 'echo tidy; exit 5' TERM; sleep 600 & wait",
        timeout=timedelta(seconds=1),
        grace=timedelta(seconds=10),
    )
    assert (end.code, end.stdout.shown, end.timed_out) == (5, b"tidy\n", True)


@pytest.mark.skipif(not LINUX, reason="only Linux gives detached processes back")
async def test_what_it_leaves_behind_is_ended(children: Children) -> None:
    end = await children.run("(setsid setsid sleep 600 >/dev/null 2>&1 &); sleep 0.2; echo done")
    assert (end.code, end.left, end.stdout.shown) == (0, 1, b"done\n")


async def test_a_flood_is_ended_at_its_cap(children: Children) -> None:
    end = await children.run("trap '' TERM; yes; yes")
    assert (end.flooded, end.stdout.size) == (True, 100_000)
    end = await children.run("trap '' TERM; yes x >&2")
    assert (end.flooded, end.timed_out, end.stdout.size) == (True, False, 0)
    assert end.stderr.startswith(b"x\nx\n")


async def test_a_swarm_of_forks_is_ended(children: Children) -> None:
    fork = "import os, time\nfor _ in range(6): os.fork()\nos.setsid() if os.getpid() != os.getpgid(0) else None\ntime.sleep(600)"
    order = children.order(sys.executable, "-c", fork, timeout=timedelta(seconds=2))
    assert (await run_child(order)).timed_out


async def test_when_cancelled_it_has_ended_before_the_cancellation_leaves(children: Children) -> None:
    job = asyncio.create_task(children.run("trap '' TERM; sleep 600 & sleep 601; sleep 602"))
    await wait_for_async(lambda: any("sleep 601" in line for line in children.living()), 10)
    job.cancel()
    await asyncio.sleep(0)
    job.cancel()  # a second one must not let it go early
    with pytest.raises(asyncio.CancelledError):
        await job
    assert children.living() == []


async def test_when_cancelled_while_it_starts_nothing_of_it_is_left(children: Children) -> None:
    order = children.order("sh", "-c", "setsid sleep 600 & sleep 601")
    job = asyncio.create_task(run_child(order))
    while not children.living():  # noqa: ASYNC110 - one turn of the loop at a time, and no more
        await asyncio.sleep(0)
    # The loop stands still, as on a busy machine: the program runs before anybody knows of it.
    wait_for(lambda: len(children.living()) >= 3, 10)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert children.living() == []


async def test_output_that_no_disk_holds_is_said_and_ends_it(children: Children) -> None:
    (children.folder / "stdout").symlink_to("/dev/full")
    order = children.order("sh", "-c", "head -c 90000 /dev/zero; sleep 600")
    with pytest.raises(
        RetryableError, match=r"cannot be kept on this node \(No space left on device\): free"
    ):
        await run_child(order)
    assert children.living() == []


async def test_who_cannot_tell_its_progress_on_leaves_nothing(children: Children) -> None:
    async def tell(message: str, fraction: float | None) -> None:
        raise SwarmError("over the server's limit")

    order = children.order("sh", "-c", "setsid sleep 600 & echo some >&3; sleep 601")
    with pytest.raises(SwarmError, match="over the server's limit"):
        await run_child(order, tell)
    assert children.living() == []


@pytest.mark.skipif(not LINUX, reason="limits of other systems are lower")
async def test_a_node_with_very_many_descriptors_runs_it_too(children: Children) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip(f"this user may have {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    held: list[int] = []
    try:
        held += [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
        assert (await children.run("echo well")).stdout.shown == b"well\n"
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_child_that_kills_its_supervisor_is_ended_with_it(children: Children) -> None:
    end = await children.run("kill -9 $PPID; sleep 600")
    assert end.signal == signal.SIGKILL


async def test_it_tells_how_far_it_is(children: Children) -> None:
    script = "echo '10% one' >&3; sleep 0.3; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done >&3; echo last >&3"
    await children.run(script)
    assert children.said[0] == ("one", 0.1)
    assert children.said[-1] == ("last", None)
    assert len(children.said) < 50


async def test_it_holds_no_descriptor_of_the_node(children: Children) -> None:
    if not LINUX:
        pytest.skip("/proc is Linux's")
    end = await children.run("ls /proc/self/fd", stdin=b"")
    # 3 is for progress; the last one is ls's own.
    assert end.stdout.shown.split() == [b"0", b"1", b"2", b"3", b"4"]


async def test_limits_bind_it(children: Children) -> None:
    end = await children.run("head -c 200000 /dev/zero > big", limits={"file_size": 1000})
    assert end.code != 0 or end.signal == signal.SIGXFSZ
    assert (children.work / "big").stat().st_size <= 1024
    end = await children.run("while :; do :; done", limits={"cpu_s": 1})
    assert end.signal == signal.SIGXCPU or end.signal == signal.SIGKILL


@pytest.mark.skipif(not LINUX, reason="elsewhere its group alone is ended")
async def test_it_dies_with_a_node_that_is_killed(children: Children) -> None:
    node = (
        "import asyncio, sys\n"
        "from datetime import timedelta\n"
        "from pathlib import Path\n"
        "from picoclaw.capabilities.child.run import ChildOrder, run_child\n"
        "import json, os\n"
        "told = json.loads(sys.argv[1])\n"
        "asyncio.run(run_child(ChildOrder(argv=('sh', '-c', told['script']), cwd=Path(told['cwd']),\n"
        "    env={'PATH': os.environ['PATH'], told['mark']: told['folder']}, folder=Path(told['folder']),\n"
        "    timeout=timedelta(seconds=60), grace=timedelta(seconds=1), keep=100, cap=1000)))\n"
    )
    told = {
        "script": "trap '' TERM; (setsid sleep 600 &); sleep 601; sleep 602",
        "cwd": str(children.work),
        "folder": str(children.folder),
        "mark": MARK,
    }
    process = psutil.Popen([sys.executable, "-c", node, json.dumps(told)])
    try:
        wait_for(lambda: sum("sleep 60" in line for line in children.living()) >= 3, 15)
        process.kill()
        wait_for(lambda: not children.living(), 10)
    finally:
        process.kill()
        process.wait()
