"""A server of a process's own: up at once, nobody else's, and gone with its process in any case."""

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from picoclaw.config.settings import NatsSettings
from picoclaw.errors import ConnectError, EmbeddedServerError
from picoclaw.swarm.connection import connect
from picoclaw.swarm.embedded.private import PrivateServer
from picoclaw.tests.support.member import Member
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's temporary folders are made, also those of its children."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def running(folder: Path) -> list[str]:
    """Command lines of the live processes that were started with that folder."""
    lines = []
    for process in psutil.process_iter():
        try:
            arguments = process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        if any(str(folder) in argument for argument in arguments[1:]):
            lines.append(" ".join(arguments))
    return lines


def content(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_it_serves_with_jetstream_and_is_gone_afterwards(temporary: Path) -> None:
    async with PrivateServer(NatsSettings(token="outer", ack_wait=timedelta(seconds=7))) as nats:
        client = await connect(nats, name="test")
        await client.jetstream().add_stream(name="S", subjects=["s"])
        await client.close()
        assert nats.ack_wait == timedelta(seconds=7)
        assert not nats.embedded
        assert len(running(temporary)) == 2  # the tether and its server

    assert running(temporary) == []
    assert content(temporary) == []


async def test_nobody_else_gets_in(temporary: Path) -> None:
    async with PrivateServer() as nats:
        with pytest.raises(ConnectError, match="wants credentials"):
            await connect(NatsSettings(urls=nats.urls), name="stranger")
        assert nats.urls[0].startswith("nats://127.0.0.1:")


async def test_two_at_once_are_two(temporary: Path) -> None:
    async with PrivateServer() as one, PrivateServer() as other:
        assert one.urls != other.urls
        assert one.credentials != other.credentials


async def test_it_is_up_in_a_moment() -> None:
    begun = time.monotonic()
    async with PrivateServer():
        took = time.monotonic() - begun
    assert took < 2  # 0.03 s on an idle machine; the limit allows for a busy one


async def test_it_dies_with_a_parent_that_was_killed(temporary: Path) -> None:
    parent = await Member.start("private")
    event = await parent.event("up")
    assert len(running(temporary)) >= 2

    await parent.kill()

    await wait_for_async(lambda: not running(temporary), 10, "the server is gone")
    await wait_for_async(lambda: not Path(event["folder"]).exists(), 10, "its folder is gone")


async def test_what_a_last_child_of_a_killed_parent_makes_there_goes_too(temporary: Path) -> None:
    parent = await Member.start("private")
    folder = Path((await parent.event("up"))["folder"])
    await parent.kill()
    await wait_for_async(lambda: not folder.exists(), 10, "its folder is gone")

    (folder / "home" / "cache").mkdir(parents=True)

    await wait_for_async(lambda: not running(temporary), 10, "nobody looks after it any more")
    assert content(temporary) == []


async def test_it_dies_with_a_parent_that_was_killed_while_it_hangs(temporary: Path) -> None:
    parent = await Member.start("private")
    await parent.event("up")
    for process in psutil.Process(parent.pid).children(recursive=True):
        if process.name().startswith("nats-server"):
            process.suspend()

    await parent.kill()

    await wait_for_async(lambda: not running(temporary), 10, "the server is gone")
    await wait_for_async(lambda: content(temporary) == [], 10, "its folder is gone")


async def test_a_cancelled_start_leaves_nothing(temporary: Path) -> None:
    started = asyncio.ensure_future(PrivateServer().__aenter__())
    await asyncio.sleep(0)
    started.cancel()
    with pytest.raises(asyncio.CancelledError):
        await started

    assert running(temporary) == []
    assert content(temporary) == []


async def test_a_server_that_cannot_start_is_told_with_its_reason(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = temporary.parent / "bin" / "nats-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr("sys.prefix", str(temporary.parent))

    with pytest.raises(EmbeddedServerError, match="did not start"):
        async with PrivateServer():
            pass

    assert content(temporary) == []
