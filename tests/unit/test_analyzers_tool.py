"""Running a tool: bounded in time and output, and nothing of it is left behind."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from picoclaw.capabilities.tool import PASSED_ON, ToolAbsent, ToolFlooded, ToolOutput, ToolTimedOut, run_tool
from picoclaw.tests.support.waiting import wait_for, wait_for_async

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

BEAR_A_CHILD = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("pids.part").write_text(str(child.pid))
pathlib.Path("pids.part").rename("pids")
time.sleep({sleep})
"""


async def python(code: str, cwd: Path, *, seconds: float = 20, **options: int | bytes) -> ToolOutput:
    return await run_tool(
        [sys.executable, "-c", code],
        cwd=cwd,
        timeout=timedelta(seconds=seconds),
        **options,  # type: ignore[arg-type]
    )


def gone(folder: Path) -> bool:
    """Return whether the grandchild of BEAR_A_CHILD has ended."""
    try:
        return psutil.Process(int((folder / "pids").read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_what_it_prints_and_its_exit_code_are_returned(tmp_path: Path) -> None:
    output = await python(
        "import sys; print('out'); print('a\\nerr', file=sys.stderr); sys.exit(65)", tmp_path
    )
    assert (output.returncode, output.stdout, output.last_words) == (65, b"out\n", "err")
    assert 0 < output.seconds < 20


async def test_it_runs_in_the_folder_it_was_given_with_its_own_group(tmp_path: Path) -> None:
    output = await python("import os; print(os.getcwd(), os.getpgid(0) == os.getpid())", tmp_path)
    assert output.stdout.decode().split() == [str(tmp_path), "True"]


async def test_input_is_fed_and_an_early_end_of_reading_is_no_error(tmp_path: Path) -> None:
    output = await python("import sys; print(len(sys.stdin.read()))", tmp_path, stdin=b"x" * 300_000)
    assert output.stdout == b"300000\n"
    assert (await python("pass", tmp_path, stdin=b"x" * 3_000_000)).returncode == 0


async def test_a_program_that_is_not_there_is_said_to_be_absent(tmp_path: Path) -> None:
    with pytest.raises(ToolAbsent, match="no-such-program cannot be run"):
        await run_tool(["no-such-program"], cwd=tmp_path, timeout=timedelta(seconds=5))


async def test_a_program_killed_by_a_signal_shows_it(tmp_path: Path) -> None:
    output = await python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", tmp_path)
    assert output.returncode == -signal.SIGSEGV


async def test_at_its_time_out_it_ends_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(ToolTimedOut, match="ended after 2 s"):
        await python(BEAR_A_CHILD.format(sleep=60), tmp_path, seconds=2)
    wait_for(lambda: gone(tmp_path), 5)


async def test_when_cancelled_it_ends_with_its_children(tmp_path: Path) -> None:
    job = asyncio.create_task(python(BEAR_A_CHILD.format(sleep=60), tmp_path))
    await wait_for_async((tmp_path / "pids").exists, 10)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    wait_for(lambda: gone(tmp_path), 5)


async def test_a_child_that_outlives_it_is_ended(tmp_path: Path) -> None:
    code = BEAR_A_CHILD.format(sleep=0).replace("Popen(", "Popen(stdout=-3, stderr=-3, args=")
    assert (await python(code, tmp_path)).returncode == 0
    wait_for(lambda: gone(tmp_path), 5)


async def test_a_flood_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ToolFlooded, match="more than 1 MB"):
        await python("while True: print('x' * 9999)", tmp_path, output_limit=2**20)


async def test_of_a_flood_of_errors_the_end_is_kept(tmp_path: Path) -> None:
    output = await python("import sys\nfor n in range(99999): print(n, file=sys.stderr)", tmp_path)
    assert output.last_words == "99998"
    assert len(output.stderr) <= 2**16


def test_a_tool_dies_with_a_node_that_is_killed(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux ends a child with its parent")
    node = (
        "import asyncio, json, os, pathlib, sys\n"
        "from datetime import timedelta\n"
        "from picoclaw.capabilities.analyzers.running import LAUNCH\n"
        "from picoclaw.capabilities.tool import python_argv, run_tool\n"
        "here = pathlib.Path.cwd()\n"
        "(here / 'tool.py').write_text('import os, time\\nprint(os.getpid(), file=open(\"pid\", \"w\"), flush=True)\\n'\n"
        "    'time.sleep(60)')\n"
        "(here / 'order.json').write_text(json.dumps(dict(script='tool.py', argv=[], parent=os.getpid(),\n"
        "    cpu_s=60, memory=2**33, file_size=2**20)))\n"
        "asyncio.run(run_tool(python_argv(LAUNCH, 'order.json'), cwd=here, timeout=timedelta(seconds=60)))\n"
    )
    process = psutil.Popen([sys.executable, "-c", node], cwd=tmp_path)
    try:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), 15)
        tool = psutil.Process(int((tmp_path / "pid").read_text()))
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: not tool.is_running() or tool.status() == psutil.STATUS_ZOMBIE, 5)
    finally:
        process.kill()
        process.wait()


async def test_a_tool_sees_no_key_of_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "PICOCLAW_SWARM_NATS_TOKEN", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    output = await python("import os; print(*os.environ)", tmp_path)
    seen = set(output.stdout.decode().split())
    assert "PATH" in seen
    # LC_CTYPE is Python's own doing where the locale is C.
    assert seen <= {*PASSED_ON, "LC_CTYPE"}
