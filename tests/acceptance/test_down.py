"""`picoclaw down` and `picoclaw nats url`, as a person types them."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from picoclaw.config.settings import NatsSettings
from picoclaw.swarm.connection import connect
from picoclaw.swarm.embedded.record import read_record
from picoclaw.tests.support.command import PICOCLAW, RunPicoclaw
from picoclaw.tests.support.processes import processes_of

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

StartNode = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_node(home: Path) -> Iterator[StartNode]:
    """Start processes that share this home's server and are on its list of nodes."""
    nodes: list[subprocess.Popen[str]] = []

    def start(name: str, *more: str) -> "subprocess.Popen[str]":
        argv = [
            sys.executable,
            "-m",
            "picoclaw.tests.support.idle_node",
            str(home / ".picoclaw"),
            name,
            *more,
        ]
        node = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        nodes.append(node)
        assert node.stdout is not None
        assert node.stdout.readline() == "ready\n"
        return node

    yield start
    for node in nodes:
        node.kill()
        node.communicate()
    for process in processes_of(home):
        process.kill()


def test_down_with_nothing_running_says_so(run_picoclaw: RunPicoclaw, home: Path) -> None:
    ran = run_picoclaw("down")

    assert ran.returncode == 0
    assert ran.stdout.startswith(
        "nothing to do: no node and no shared server of this user runs on this machine"
    )
    assert not (home / ".picoclaw").exists()


def test_down_drains_the_nodes_and_ends_the_server(
    run_picoclaw: RunPicoclaw, start_node: StartNode, home: Path
) -> None:
    one, other = start_node("claw-one"), start_node("claw-two")
    record = read_record(home / ".picoclaw" / "run" / "server.json")
    assert record is not None

    ran = run_picoclaw("down")

    assert ran.returncode == 0, ran.stderr
    assert f"draining claw-one (worker, pid {one.pid})" in ran.stdout
    assert "claw-two has left" in ran.stdout
    assert f"shared nats-server stopped (pid {record.pid}, {record.url})" in ran.stdout
    assert "its data stays in" in ran.stdout
    assert (one.wait(5), other.wait(5)) == (0, 0)
    assert processes_of(home) == []
    assert (home / ".picoclaw" / "nats" / "jetstream").is_dir()


def test_down_ends_a_server_that_only_killed_nodes_left(
    run_picoclaw: RunPicoclaw, start_node: StartNode, home: Path
) -> None:
    node = start_node("claw-one")
    node.kill()
    node.wait()
    assert [process.name() for process in processes_of(home)] == ["nats-server"]

    ran = run_picoclaw("down")

    assert ran.returncode == 0, ran.stderr
    assert "draining" not in ran.stdout
    assert "shared nats-server stopped" in ran.stdout
    assert processes_of(home) == []


def test_down_names_who_does_not_drain_and_leaves_the_server_to_it(
    run_picoclaw: RunPicoclaw, start_node: StartNode, home: Path
) -> None:
    stubborn = start_node("claw-stubborn", "stubborn")

    ran = run_picoclaw("down", "--wait", "300ms")

    assert ran.returncode == 1
    assert f"still draining after 0.3 s: claw-stubborn (pid {stubborn.pid})" in ran.stderr
    assert f"kill -9 {stubborn.pid}" in ran.stderr
    assert stubborn.poll() is None
    assert "nats-server" in [process.name() for process in processes_of(home)]


def test_down_purge_asks_before_it_touches_anything(
    run_picoclaw: RunPicoclaw, start_node: StartNode, home: Path
) -> None:
    node = start_node("claw-one")

    ran = run_picoclaw("down", "--purge")

    assert ran.returncode == 2
    assert "add --yes" in ran.stderr
    assert node.poll() is None
    assert (home / ".picoclaw" / "nats").is_dir()


def test_down_purge_removes_the_store(run_picoclaw: RunPicoclaw, start_node: StartNode, home: Path) -> None:
    start_node("claw-one")

    ran = run_picoclaw("down", "--purge", "--yes")

    assert ran.returncode == 0, ran.stderr
    assert f"store removed: {home}/.picoclaw/nats" in ran.stdout
    assert not (home / ".picoclaw" / "nats").exists()
    assert run_picoclaw("down", "--purge", "--yes").returncode == 0
    start_node("claw-two")  # and a new one starts from nothing


def test_down_refuses_a_bad_duration(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("down", "--wait", "soon")

    assert ran.returncode == 2
    assert "--wait: 'soon' is not a duration" in ran.stderr


def test_nats_url_lets_a_foreign_tool_in(
    run_picoclaw: RunPicoclaw, start_node: StartNode, home: Path
) -> None:
    start_node("claw-one")

    ran = run_picoclaw("nats", "url")

    assert ran.returncode == 0, ran.stderr
    url = ran.stdout.strip()
    assert urlsplit(url).username == "picoclaw"

    async def enter() -> None:
        client = await connect(NatsSettings(urls=(url,)), name="foreign")
        await client.close()

    asyncio.run(enter())


def test_nats_url_warns_on_a_terminal(start_node: StartNode, home: Path) -> None:
    start_node("claw-one")
    master, slave = pty.openpty()
    ran = subprocess.run(
        [str(PICOCLAW), "nats", "url"],
        stdout=slave,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=True,
    )
    os.close(slave)
    shown = os.read(master, 4096).decode()
    os.close(master)

    assert shown.startswith("nats://picoclaw:")
    assert "This is a secret" in ran.stderr


def test_nats_url_without_a_server_says_where_the_address_comes_from(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("nats", "url")

    assert ran.stdout == "nats://localhost:4222\n"
    assert "the default address; no shared server is running" in ran.stderr


def test_nats_url_puts_given_credentials_in(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw(
        "nats", "url", "--swarm.nats.urls", "nats://a:4222,nats://b:4222", "--swarm.nats.credentials", "u:p@q"
    )

    assert ran.stdout == "nats://u:p%40q@a:4222,nats://u:p%40q@b:4222\n"


def test_the_shared_server_is_no_child_of_its_starter(start_node: StartNode, home: Path) -> None:
    node = start_node("claw-one")
    record = read_record(home / ".picoclaw" / "run" / "server.json")
    assert record is not None

    assert psutil.Process(record.pid).ppid() != node.pid
    assert os.getsid(record.pid) != os.getsid(node.pid)  # Ctrl-C in its terminal does not reach it
