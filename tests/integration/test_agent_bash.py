"""`bash`, in the sandbox and without it: what it gives back, and what no command can do, however hostile."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from picoclaw.capabilities.agent.profiles.profile import Profile
from picoclaw.capabilities.agent.sandbox.choose import choose
from picoclaw.capabilities.agent.skills.read import read_skill
from picoclaw.capabilities.agent.skills.tool import SkillTool
from picoclaw.capabilities.agent.tools.bash import Bash, tools
from picoclaw.capabilities.agent.tools.toolbox import Kit
from picoclaw.config.settings import AgentsSettings, Settings, SkillsSettings
from picoclaw.tests.support.agent_tools import Hand, bubblewrap_lacks
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

LACKS = bubblewrap_lacks()
sandboxed = pytest.mark.skipif(bool(LACKS), reason=LACKS or "bubblewrap works")
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are counted by /proc")
EACH = [pytest.param("bubblewrap", marks=sandboxed), "none"]


def bash(sandbox: str = "bubblewrap", **how: object) -> Bash:
    return Bash(AgentsSettings(sandbox=sandbox), **how)  # type: ignore[arg-type]


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    made = Hand(tmp_path)
    yield made
    assert alive(tmp_path) == []
    assert [name for name in os.listdir(made.root.parent) if name.startswith("bash-")] == []


def alive(folder: Path) -> list[str]:
    """Processes that work in a folder, or were told of it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        about = process.info
        if about["status"] != psutil.STATUS_ZOMBIE and str(folder) in f"{about['cmdline']} {about['cwd']}":
            found.append(f"{process.pid} {about['cmdline']}")
    return [one for one in found if not one.startswith(f"{os.getpid()} ")]


@pytest.mark.parametrize("sandbox", EACH)
async def test_what_it_prints_and_its_code_come_back(hand: Hand, sandbox: str) -> None:
    hand.write("in.txt", "of the workspace\n")
    tool = bash(sandbox)
    result = await hand.use(tool, command="cat in.txt; echo to errors >&2; echo last; touch made; exit 3")
    assert result.text == "of the workspace\nto errors\nlast\n[exit code 3]"
    assert result.error
    assert hand.files() == {"in.txt", "made"}
    result = await hand.use(tool, command="echo kept > ~/here; echo kept > $TMPDIR/there")
    assert (result.text, result.error) == ("[it printed nothing]", False)
    assert (await hand.use(tool, command="cat ~/here $TMPDIR/there")).text == "kept\nkept"


@pytest.mark.parametrize("sandbox", EACH)
async def test_commands_run_what_a_skill_brings_and_change_none_of_it(
    hand: Hand, sandbox: str, tmp_path: Path
) -> None:
    skill = tmp_path / "skills of the user" / "invoices"
    (skill / "scripts").mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: invoices\ndescription: Invoices.\n---\nRun scripts/sum.sh.\n")
    (skill / "scripts" / "sum.sh").write_text("echo the sum of $1\n")
    settings = Settings(
        agents=AgentsSettings(sandbox=sandbox),  # type: ignore[arg-type]
        skills=SkillsSettings(path=(skill.parent,)),
    )
    (tool,) = tools(Kit(profile=Profile(name="a", skills=("*",)), settings=settings))
    assert (
        await hand.use(tool, command='sh "$SKILLS/invoices/scripts/sum.sh" June')
    ).text == "the sum of June"
    if sandbox == "bubblewrap":
        result = await hand.use(tool, command='echo x >> "$SKILLS/invoices/SKILL.md"')
        assert "Read-only file system" in result.text
    (bare,) = tools(Kit(profile=Profile(name="a"), settings=settings))
    assert (await hand.use(bare, command="echo ${SKILLS-none}")).text == "none"
    loaded = await SkillTool((read_skill(skill, "user"),)).use({"name": "invoices"}, hand.place())
    assert "Commands of bash find them in $SKILLS/invoices" in loaded.text


@sandboxed
async def test_only_where_it_reaches_nothing_else_a_command_may_be_run_again_unasked(hand: Hand) -> None:
    sealed, networked, plain = bash(), Bash(AgentsSettings(sandbox="bubblewrap", network=True)), bash("none")
    assert not sealed.repeatable, "as long as nobody looked what there is"
    for tool in (sealed, networked, plain):
        await tool.prepare(hand.place())
    assert (sealed.repeatable, networked.repeatable, plain.repeatable) == (True, False, False)


@pytest.mark.parametrize("sandbox", EACH)
async def test_it_sees_no_more_of_the_environment_than_is_named(
    hand: Hand, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-node-123456")
    monkeypatch.setenv("PICOCLAW_SWARM_NATS_TOKEN", "token-of-the-node")
    said = (await hand.use(bash(sandbox), command="env")).text
    names = {line.partition("=")[0] for line in said.splitlines()}
    assert names <= {
        "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME", "TMPDIR", "PWD",
        "SHLVL", "_", "TASK_RUN",
    }  # fmt: skip
    # Whatever way it comes by one, it is not passed on.
    said = (await hand.use(bash(sandbox), command="echo sk-of-the-node-'123456'")).text
    assert said == "***"


@pytest.mark.parametrize("sandbox", EACH)
async def test_long_output_is_cut_and_all_of_it_kept(hand: Hand, sandbox: str) -> None:
    result = await hand.use(bash(sandbox), command="seq 100000")
    assert len(result.text) < 31_000
    assert result.text.startswith("1\n2\n3\n")
    assert "left out" in result.text
    assert "\n100000\n[cut; the task's artifact bash-call-1.txt holds all of it]" in result.text
    data = await hand.context.artifacts.get(result.artifacts[0])
    assert data.decode().split() == [str(number) for number in range(1, 100_001)]


@pytest.mark.parametrize("sandbox", EACH)
async def test_a_gigabyte_of_output_is_ended(hand: Hand, sandbox: str) -> None:
    result = await hand.use(bash(sandbox), command="head -c 1G /dev/zero")
    assert "ended, as it printed more than 64 MB" in result.text
    assert result.error
    assert len(result.text) < 31_000


@pytest.mark.parametrize("sandbox", EACH)
async def test_what_ignores_sigterm_is_ended_at_its_time(hand: Hand, sandbox: str) -> None:
    began = time.monotonic()
    result = await hand.use(
        bash(sandbox), command="trap '' TERM HUP INT; while :; do sleep 1; done", timeout=1
    )
    assert "ended after 1s" in result.text
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("sandbox", EACH)
async def test_a_daemon_does_not_outlive_its_call(hand: Hand, sandbox: str) -> None:
    command = "(setsid nohup sh -c 'while :; do touch alive; sleep 0.1; done' >/dev/null 2>&1 &) ; sleep 0.5"
    result = await hand.use(bash(sandbox), command=command)
    assert "alive" in hand.files()
    # In the sandbox its namespace ends with the command, and nothing is left to be counted.
    assert sandbox == "bubblewrap" or "left behind, and ended" in result.text
    assert alive(hand.folder) == []


@linux
@pytest.mark.parametrize("sandbox", EACH)
async def test_a_fork_bomb_is_ended(hand: Hand, sandbox: str) -> None:
    began = time.monotonic()
    bomb = "import os,time\nwhile True:\n try: os.fork()\n except OSError: pass\n time.sleep(0.01)\n"
    hand.write("bomb.py", bomb)
    tool = bash(sandbox, processes=60)
    result = await hand.use(tool, command="python3 bomb.py; echo never", timeout=20)
    assert "ended, as it had too many processes" in result.text
    assert time.monotonic() - began < 15


@linux
@pytest.mark.parametrize("sandbox", EACH)
async def test_memory_of_all_processes_together_is_bounded(hand: Hand, sandbox: str) -> None:
    eat = "python3 -c 'import time; held = bytearray(60_000_000); time.sleep(30)'"
    tool = bash(sandbox, memory=150_000_000)
    result = await hand.use(tool, command=f"{eat} & {eat} & {eat} & wait", timeout=20)
    assert "ended, as it took too much memory" in result.text


@linux
@pytest.mark.parametrize("sandbox", EACH)
async def test_the_disk_is_not_filled(hand: Hand, sandbox: str) -> None:
    tool = bash(sandbox, disk=20_000_000)
    fill = "while :; do n=$((n+1)); head -c 2000000 /dev/urandom > $TMPDIR/$n; done"
    result = await hand.use(tool, command=fill, timeout=20)
    assert "ended, as it filled too much of the disk" in result.text
    tool = bash(sandbox, limits={"file_size": 1_000_000})
    result = await hand.use(tool, command="exec head -c 2000000 /dev/zero > large")
    assert "ended at its limit of the size of a file" in result.text


@pytest.mark.parametrize("sandbox", EACH)
async def test_cancelled_it_leaves_nothing(hand: Hand, sandbox: str) -> None:
    begun = hand.root / "begun"
    use = asyncio.create_task(hand.use(bash(sandbox), command="touch begun; sleep 60 & sleep 61"))
    await wait_for_async(begun.exists)
    use.cancel()
    with pytest.raises(asyncio.CancelledError):
        await use
    assert alive(hand.folder) == []


async def test_what_no_argument_can_hold_is_told(hand: Hand) -> None:
    for command in ("echo \0", "x" * 2**17):
        result = await hand.use(bash("none"), command=command)
        assert result.error
        assert "write it to a file" in result.text


# --- what the sandbox alone keeps it from ---


@sandboxed
async def test_it_sees_nothing_of_this_machine_but_the_system(hand: Hand) -> None:
    secret = hand.folder / "secret"
    secret.write_text("of the node")
    (hand.root / "out").symlink_to(secret)
    tool = bash()
    for command in (
        f"cat {secret}", "cat out", f"ls {hand.root}", "cat ~root/.bashrc", f"ls {Path.home()}/.picoclaw",
        "ls /var /run /root /mnt /srv", "cat /etc/shadow", "ls /etc/ssl/private", "cat /proc/1/root/../secret",
    ):  # fmt: skip
        result = await hand.use(tool, command=command)
        assert result.error, command
        assert "of the node" not in result.text
    assert (await hand.use(tool, command="pwd; ls")).text == "/workspace\nout"


@sandboxed
async def test_it_sees_no_process_of_the_node(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_OF_THE_NODE", "not-for-agents")
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        look = "cat /proc/*/environ | tr '\\0' '\\n'; ls -d /proc/[0-9]* | wc -l"
        said = await hand.use(bash(), command=look)
        assert "not-for-agents" not in said.text
        assert int(said.text.splitlines()[-1]) < 10
        for target in (os.getpid(), sleeper.pid):
            assert (await hand.use(bash(), command=f"kill -9 {target}")).error
        await hand.use(bash(), command="kill -9 -1")
        assert sleeper.returncode is None
    finally:
        sleeper.kill()
        await sleeper.wait()


@sandboxed
async def test_it_writes_nowhere_but_where_it_may(hand: Hand) -> None:
    for place in (
        "/",
        "/usr",
        "/etc",
        "/dev",
        "/home",
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
    ):
        where = place if place.startswith("/proc") else f"{place}/made"
        assert (await hand.use(bash(), command=f"echo x > {where}")).error, place
    filled = await hand.use(bash(), command="head -c 100M /dev/zero > /dev/shm/filled")
    assert filled.error
    assert "No space left" in filled.text


@sandboxed
async def test_it_reaches_no_network_unless_it_may(hand: Hand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached"
        assert (await hand.use(bash(), command=connect)).error
        tool = Bash(AgentsSettings(sandbox="bubblewrap", network=True))
        assert (await hand.use(tool, command=connect)).text == "reached"


@sandboxed
async def test_it_gains_no_rights(hand: Hand) -> None:
    said = await hand.use(bash(), command="grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status")
    assert [line.split()[1] for line in said.text.splitlines()] == ["0" * 16, "0" * 16, "1"]
    for command in ("mount -t tmpfs none /tmp", "unshare -Ur mount -t tmpfs none /tmp", "chroot / true"):
        assert (await hand.use(bash(), command=command)).error, command


# --- choosing ---


async def test_without_bubblewrap_it_is_said_or_refused(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = hand.folder / "bin"
    nowhere.mkdir()
    monkeypatch.setenv("PATH", str(nowhere))
    chosen = choose(AgentsSettings())
    assert chosen.sandbox is not None
    assert chosen.sandbox.said.startswith("no sandbox (bubblewrap is not on the PATH), where")
    assert "apt install bubblewrap" in chosen.lacks
    tool = bash("auto")
    assert tool.said == ""
    assert (await hand.use(tool, command="echo done")).text == "done"
    assert tool.said == f"commands ran in {chosen.sandbox.said}"
    assert hand.context.said == [f"commands run in {chosen.sandbox.said}"]
    refused = await hand.use(bash("bubblewrap"), command="echo done")
    assert refused.error
    assert "commands do not run on this node" in refused.text
    broken = nowhere / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert "does not work here (No permissions to create" in choose(AgentsSettings()).lacks
