"""Every way in which a connection can fail, against real servers: our error, the address, a next step."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from picoclaw.config.settings import NatsSettings, TlsSettings
from picoclaw.errors import (
    AuthorizationFailed,
    ConfigError,
    JetStreamDisabled,
    NoServer,
    PermissionDenied,
    ServerTooOld,
    TlsFailed,
)
from picoclaw.swarm.connection import connect
from picoclaw.swarm.embedded.probe import free_port
from picoclaw.swarm.wire import Wire
from picoclaw.tests.support.jwt import user_key
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.tls import make_certificates
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

AUTHORIZATION = 'authorization { user: "ann", password: "s3cret" }'


async def failure(nats: NatsSettings, source: str = "") -> Exception:
    """What `connect` raises; it never takes long."""
    begun = time.monotonic()
    with pytest.raises(Exception) as caught:
        await connect(nats, name="test", source=source)
    assert time.monotonic() - begun < 10
    return caught.value


def at(server: NatsServer, **settings: object) -> NatsSettings:
    return replace(NatsSettings(urls=(server.url,)), **settings)  # type: ignore[arg-type]


async def test_no_server() -> None:
    port = free_port()
    error = await failure(NatsSettings(urls=(f"nats://127.0.0.1:{port}",)), "from flag --swarm.nats.urls")

    assert type(error) is NoServer
    assert f"nats://127.0.0.1:{port} (from flag --swarm.nats.urls): connection refused" in str(error)
    assert "--swarm.nats.urls" in str(error)


async def test_no_host_of_that_name() -> None:
    error = await failure(NatsSettings(urls=("nats://nowhere.invalid:4222",)))

    assert type(error) is NoServer
    assert "nats://nowhere.invalid:4222" in str(error)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"INFO []\r\n",
        b"INFO {\r\n",
        b"INFO \xff\xfe\r\n",
        b'INFO {"version": 2}\r\n',
        b'INFO {"max_payload": "all"}\r\n',
        b'INFO {"connect_urls": [1]}\r\n',
        b'INFO {"version": "2.12.1"}\r\n-ERR\r\n',
        b"x" * 200_000,
    ],
    ids=["http", "list", "half", "bytes", "version", "payload", "urls", "err", "endless"],
)
async def test_something_else_listens_there(said: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        with contextlib.suppress(OSError):
            await reader.read(4096)  # until it is hung up on, or told who comes
        writer.close()

    async with serving(speak) as url:
        error = await failure(NatsSettings(urls=(url,)))

    assert type(error) is NoServer
    assert "it is something else than NATS" in str(error)


async def test_a_server_that_hangs_is_not_waited_for_for_ever(start_nats: StartNats) -> None:
    server = start_nats()
    server.freeze()

    error = await failure(at(server))

    assert type(error) is NoServer
    assert "says nothing" in str(error)  # it may greet before it stops


async def test_a_server_that_greets_and_stops() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"X","version":"2.12.1","max_payload":1048576,"headers":true}\r\n')
        await reader.read()
        writer.close()

    async with serving(speak) as url:
        error = await failure(NatsSettings(urls=(url,)))

    assert type(error) is NoServer
    assert "it greets and then says nothing: restart that server" in str(error)


async def test_no_credentials(start_nats: StartNats) -> None:
    error = await failure(at(start_nats(config=AUTHORIZATION)))

    assert type(error) is AuthorizationFailed
    assert "wants credentials and none were given" in str(error)
    assert "--swarm.nats.credentials" in str(error)


@pytest.mark.parametrize(
    "credentials", ["ann:wr0ng", "t0ken-wr0ng", user_key().seed], ids=["password", "token", "nkey"]
)
async def test_wrong_credentials(start_nats: StartNats, credentials: str) -> None:
    error = await failure(at(start_nats(config=AUTHORIZATION), credentials=credentials))

    assert type(error) is AuthorizationFailed
    assert "refused these credentials" in str(error)
    assert credentials not in str(error)


async def test_wrong_credentials_in_the_address(start_nats: StartNats) -> None:
    server = start_nats(config=AUTHORIZATION)
    error = await failure(NatsSettings(urls=(server.url_as("ann", "wr0ng"),)))

    assert type(error) is AuthorizationFailed
    assert f"nats://***@127.0.0.1:{server.port} refused" in str(error)
    assert "wr0ng" not in str(error)


async def test_a_credentials_file_of_another_kind(start_nats: StartNats, tmp_path: Path) -> None:
    path = tmp_path / "user.creds"
    path.write_text("hunter2 and more")
    error = await failure(at(start_nats(), credentials=str(path)))

    assert type(error) is ConfigError
    assert str(path) in str(error)
    assert "hunter2" not in str(error)


async def test_a_forbidden_subject_is_known_when_its_request_has_timed_out(start_nats: StartNats) -> None:
    server = start_nats(
        config="""
        authorization { users: [{ user: "ann", password: "s3cret", permissions: {
            publish: { deny: ["picoclaw.Closed.>"] }, subscribe: { deny: ["hidden.>"] } } }] }
        """
    )
    client = await connect(at(server, credentials="ann:s3cret"), name="test")
    heard: list[tuple[str, str]] = []
    client.denied.listen(lambda subject, reason: heard.append((subject, reason)))
    with pytest.raises(asyncio.TimeoutError):
        await client.request("picoclaw.Closed.Log", b"", timeout=0.3)
    await client.subscribe("hidden.things")
    # No flush: its ping may go out ahead of the subscription.
    await wait_for_async(lambda: client.denied.denial("hidden.things"), 5)

    denial = client.denied.denial("picoclaw.Closed.Log")
    assert type(denial) is PermissionDenied
    assert "does not let this user publish to picoclaw.Closed.Log" in str(denial)
    assert "subscribe to hidden.things" in str(client.denied.denial("hidden.things"))
    assert client.denied.denial("picoclaw.open") is None
    assert heard[0] == ("picoclaw.closed.log", "this user may not publish to it")
    assert client.is_connected
    await client.close()


async def test_a_forbidden_request_of_the_swarm_says_so_and_not_that_it_timed_out(
    start_nats: StartNats,
) -> None:
    server = start_nats(
        config="""
        authorization { users: [{ user: "ann", password: "s3cret", permissions: {
            publish: { deny: ["$JS.API.STREAM.CREATE.>"] } } }] }
        """
    )
    client = await connect(at(server, credentials="ann:s3cret"), name="test")
    async with Wire(client) as wire:
        with pytest.raises(PermissionDenied, match=r"publish to \$JS.API.STREAM.CREATE.LOG"):
            await wire.api("STREAM.CREATE.LOG", {"name": "LOG"}, timeout=timedelta(milliseconds=300))
    await client.close()


async def test_a_user_that_may_not_ask_about_jetstream_still_connects(start_nats: StartNats) -> None:
    server = start_nats(
        config="""
        authorization { users: [{ user: "ann", password: "s3cret", permissions: {
            publish: ["picoclaw.>", "$JS.API.CONSUMER.>"], subscribe: ["_INBOX.>"] } }] }
        """
    )
    begun = time.monotonic()
    client = await connect(at(server, credentials="ann:s3cret"), name="test")

    assert time.monotonic() - begun < 2
    await client.close()


async def test_a_server_without_jetstream(tmp_path: Path) -> None:
    server = PlainServer(tmp_path)
    server.start()
    try:
        error = await failure(at(server))
    finally:
        server.kill()

    assert type(error) is JetStreamDisabled
    assert "runs without JetStream: start it with `nats-server -js`" in str(error)


async def test_an_account_without_jetstream(start_nats: StartNats) -> None:
    server = start_nats(
        config="""
        accounts { A: { users: [{ user: "ann", password: "s3cret" }] }, B: { jetstream: enabled } }
        """
    )
    error = await failure(at(server, credentials="ann:s3cret"))

    assert type(error) is JetStreamDisabled
    assert "off for this account" in str(error)


async def test_a_server_that_is_too_old() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"X","version":"2.11.9","max_payload":1048576,"headers":true}\r\n')
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async with serving(speak) as url:
        error = await failure(NatsSettings(urls=(url,)))

    assert type(error) is ServerTooOld
    assert "is version 2.11.9, and the swarm needs 2.12 or later" in str(error)


async def test_an_authority_that_is_not_known(start_nats: StartNats, tmp_path: Path) -> None:
    server = start_nats(config=make_certificates(tmp_path).server_config())
    for url in (server.url, server.url.replace("nats:", "tls:")):
        error = await failure(NatsSettings(urls=(url,)))

        assert type(error) is TlsFailed
        assert "is not trusted" in str(error)
        assert "--swarm.nats.tls.ca" in str(error)


async def test_a_certificate_for_another_host(start_nats: StartNats, tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "elsewhere.example.org")
    error = await failure(at(start_nats(config=made.server_config()), tls=TlsSettings(ca=made.ca)))

    assert type(error) is TlsFailed
    assert "127.0.0.1" in str(error)
    assert "host name that stands in the certificate" in str(error)


async def test_a_client_certificate_is_demanded(start_nats: StartNats, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    error = await failure(at(start_nats(config=made.server_config(verify=True)), tls=TlsSettings(ca=made.ca)))

    assert type(error) is TlsFailed
    assert "--swarm.nats.tls.cert" in str(error)


async def test_a_client_certificate_of_another_authority(start_nats: StartNats, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other")
    tls = TlsSettings(ca=made.ca, cert=other.client_cert, key=other.client_key)
    error = await failure(at(start_nats(config=made.server_config(verify=True)), tls=tls))

    assert type(error) is TlsFailed
    assert "client certificate that it trusts" in str(error)


@pytest.mark.parametrize("how", ["address", "ca"])
async def test_tls_was_asked_for_and_the_server_has_none(
    start_nats: StartNats, tmp_path: Path, how: str
) -> None:
    server = start_nats(config=AUTHORIZATION)
    nats = at(server, credentials="ann:s3cret")
    if how == "address":
        nats = replace(nats, urls=(server.url.replace("nats:", "tls:"),))
    else:
        nats = replace(nats, tls=TlsSettings(ca=make_certificates(tmp_path).ca))
    error = await failure(nats)

    assert type(error) is TlsFailed
    assert "offers none: nothing was sent to it" in str(error)


async def test_no_credentials_reach_a_server_without_the_tls_that_was_asked_for() -> None:
    received = bytearray()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"X","version":"2.15.1","max_payload":1048576,"headers":true}\r\n')
        while part := await reader.read(1024):
            received.extend(part)
        writer.close()

    async with serving(speak) as url:
        error = await failure(NatsSettings(urls=(url.replace("nats:", "tls:"),), credentials="ann:s3cret"))

    assert type(error) is TlsFailed
    assert bytes(received) == b""


async def test_a_tls_file_that_is_none(start_nats: StartNats, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")
    error = await failure(at(start_nats(), tls=TlsSettings(ca=path)))

    assert type(error) is TlsFailed
    assert str(path) in str(error)


WITHOUT_ITS_PACKAGE = """
import asyncio, sys
sys.modules["aiohttp"] = None
from picoclaw.config.settings import NatsSettings
from picoclaw.errors import ConfigError
from picoclaw.swarm.connection import connect
try:
    asyncio.run(connect(NatsSettings(urls=("ws://127.0.0.1:9",)), name="test"))
except ConfigError as error:
    print(error)
"""


def test_a_websocket_address_without_its_package() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_ITS_PACKAGE], capture_output=True, text=True, timeout=30, check=False
    )

    assert "pip install aiohttp" in ran.stdout, ran.stderr


async def test_it_waits_for_a_server_and_says_so_once(start_nats: StartNats) -> None:
    port = free_port()
    said: list[str] = []
    waiting = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    nats = NatsSettings(urls=(f"nats://127.0.0.1:{port}",))
    async with asyncio.TaskGroup() as tasks:
        connecting = tasks.create_task(
            connect(nats, name="test", first_wait=timedelta(seconds=20), source="default", say=say)
        )
        await waiting.wait()
        await asyncio.to_thread(start_nats, port=port)
    client = connecting.result()

    assert said == [
        (
            f"waiting for a NATS server at nats://127.0.0.1:{port} (default) (up to 20 s); start one, or use "
            "--swarm.nats.embedded"
        )
    ]
    assert client.is_connected
    await client.close()


async def test_it_waits_no_longer_than_it_was_told() -> None:
    begun = time.monotonic()
    with pytest.raises(NoServer):
        await connect(
            NatsSettings(urls=(f"nats://127.0.0.1:{free_port()}",)),
            name="test",
            first_wait=timedelta(seconds=1),
        )
    assert 1 <= time.monotonic() - begun < 3


async def test_waiting_does_not_cure_wrong_credentials(start_nats: StartNats) -> None:
    nats = at(start_nats(config=AUTHORIZATION), credentials="ann:wr0ng")
    begun = time.monotonic()
    with pytest.raises(AuthorizationFailed):
        await connect(nats, name="test", first_wait=timedelta(seconds=20))
    assert time.monotonic() - begun < 5


async def test_one_of_several_servers_is_enough(start_nats: StartNats) -> None:
    server = start_nats()
    urls = (f"nats://127.0.0.1:{free_port()}", server.url)
    for _ in range(4):  # the order is drawn anew each time
        client = await connect(NatsSettings(urls=urls), name="test")
        assert client.connected_url is not None
        assert client.connected_url.port == server.port
        await client.close()


class PlainServer(NatsServer):
    """A server that was not given -js."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._args.remove("-js")


@asynccontextmanager
async def serving(
    speak: "asyncio.streams._ClientConnectedCallback",
) -> AsyncIterator[str]:
    """A server that says what `speak` writes; its connections are closed when it ends."""
    writers: list[asyncio.StreamWriter] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            await cast("Awaitable[None]", speak(reader, writer))

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for writer in writers:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
