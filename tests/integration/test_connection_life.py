"""A connection's life after its first day: outages, servers that move, users that come and go."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import nats.errors
import pytest

from picoclaw.config.settings import NatsSettings, TlsSettings
from picoclaw.errors import EmbeddedServerError
from picoclaw.swarm.client import SwarmClient
from picoclaw.swarm.connection import connect
from picoclaw.swarm.transport import PromptTransport
from picoclaw.tests.support.jwt import make_tenant
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.tls import make_certificates
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


class Watched:
    """A connection and what it reports."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.back = asyncio.Event()
        self.problems: list[str] = []
        self.client: SwarmClient

    async def connect(
        self, settings: NatsSettings, resolve: Callable[[], Awaitable[NatsSettings]] | None = None
    ) -> None:
        self.client = await connect(
            settings,
            name="test",
            on_disconnect=self._lost,
            on_reconnect=self._back,
            on_problem=self.problems.append,
            resolve=resolve,
        )

    async def _lost(self) -> None:
        self.lost.set()

    async def _back(self) -> None:
        self.back.set()


def at(server: NatsServer) -> NatsSettings:
    return NatsSettings(urls=(server.url,))


async def test_it_comes_back_after_a_kill_with_its_subscriptions(start_nats: StartNats) -> None:
    server, watched = start_nats(), Watched()
    await watched.connect(at(server))
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: object) -> None:
        got.put_nowait(message.data)  # type: ignore[attr-defined]

    await watched.client.subscribe("news", cb=take)
    server.kill()
    await watched.lost.wait()
    begun = time.monotonic()
    await asyncio.to_thread(server.start)
    await watched.back.wait()

    assert time.monotonic() - begun < 3
    await watched.client.publish("news", b"here again")
    assert await asyncio.wait_for(got.get(), 5) == b"here again"
    assert watched.problems == []
    await watched.client.close()


async def test_an_ordered_end_of_the_server_is_an_outage_like_any_other(start_nats: StartNats) -> None:
    server, watched = start_nats(), Watched()
    await watched.connect(at(server))

    await asyncio.to_thread(server.restart)
    await watched.back.wait()

    assert watched.client.is_connected
    await watched.client.close()


async def test_it_outlives_a_long_outage(start_nats: StartNats) -> None:
    server, watched = start_nats(), Watched()
    await watched.connect(at(server))
    server.kill()
    await watched.lost.wait()
    await wait_for_async(lambda: watched.client._server_pool[0].reconnects > 8, 15)
    await asyncio.to_thread(server.start)
    await watched.back.wait()
    await watched.client.close()


async def test_a_server_that_hangs_is_left_for_another(start_nats: StartNats) -> None:
    first, second, watched = start_nats(), start_nats(), Watched()
    nats_ = replace(
        NatsSettings(urls=(first.url, second.url)), heartbeat_interval=NatsSettings().heartbeat_interval / 20
    )
    await watched.connect(nats_)
    assert watched.client.connected_url is not None
    hung = first if watched.client.connected_url.port == first.port else second

    hung.freeze()
    await watched.back.wait()

    assert watched.client.connected_url.port != hung.port
    await watched.client.close()


async def test_a_user_that_is_taken_away_and_given_back(start_nats: StartNats) -> None:
    with_ann = 'authorization { users: [{ user: "ann", password: "p" }, { user: "bob", password: "p" }] }'
    server, watched = start_nats(config=with_ann), Watched()
    await watched.connect(replace(at(server), credentials="ann:p"))
    config = server.folder / "nats.conf"

    config.write_text('authorization { users: [{ user: "bob", password: "p" }] }')
    server.process.send_signal(1)  # SIGHUP: read the configuration anew
    await watched.lost.wait()
    await wait_for_async(lambda: watched.problems, 10)
    config.write_text(with_ann)
    server.process.send_signal(1)
    await watched.back.wait()

    assert any("refused these credentials" in problem for problem in watched.problems)
    assert len(watched.problems) < 4  # said once, not at each attempt
    await watched.client.close()


async def test_credentials_that_expire_and_are_renewed(start_nats: StartNats, tmp_path: Path) -> None:
    tenant = make_tenant()
    server, watched = start_nats(config=tenant.config), Watched()
    path = tmp_path / "user.creds"
    path.write_text(tenant.creds(seconds=2))
    await watched.connect(replace(at(server), credentials=str(path)))

    await watched.lost.wait()
    path.write_text(tenant.creds())
    await watched.back.wait()

    assert "have expired" in watched.problems[0]
    await watched.client.close()


async def test_it_follows_a_server_that_moved_with_new_credentials(start_nats: StartNats) -> None:
    def config(password: str) -> str:
        return f'authorization {{ user: "ann", password: "{password}" }}'

    old, new = start_nats(config=config("old")), start_nats(config=config("new"))
    watched = Watched()

    async def resolve() -> NatsSettings:
        return replace(at(new), credentials="ann:new")

    await watched.connect(replace(at(old), credentials="ann:old"), resolve)
    old.kill()
    await watched.back.wait()

    assert watched.client.connected_url is not None
    assert watched.client.connected_url.port == new.port
    await watched.client.close()


async def test_a_server_that_cannot_be_brought_back_is_told_once_and_tried_on(start_nats: StartNats) -> None:
    server, watched = start_nats(), Watched()
    tries = 0

    async def resolve() -> NatsSettings:
        nonlocal tries
        tries += 1
        raise EmbeddedServerError("the disk is full")

    await watched.connect(at(server), resolve)
    server.kill()
    await wait_for_async(lambda: tries >= 3)
    await asyncio.to_thread(server.start)
    await watched.back.wait()

    assert watched.problems == ["the disk is full"]
    await watched.client.close()


async def test_a_hook_that_fails_does_not_end_the_connection(start_nats: StartNats) -> None:
    server = start_nats()
    problems: list[str] = []
    back = asyncio.Event()

    async def fail() -> None:
        back.set()
        raise nats.errors.TimeoutError

    client = await connect(at(server), name="test", on_reconnect=fail, on_problem=problems.append)
    for _ in range(2):
        back.clear()
        await asyncio.to_thread(server.restart)
        await back.wait()

    assert problems == ["after the connection changed: nats: timeout"] * 2
    await client.close()


async def test_tls_comes_back_too(start_nats: StartNats, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    server, watched = start_nats(config=made.server_config()), Watched()
    await watched.connect(replace(at(server), tls=TlsSettings(ca=made.ca)))

    server.kill()
    await asyncio.to_thread(server.start)
    await watched.back.wait()

    assert watched.client.is_connected
    await watched.client.close()


async def test_a_slow_subscriber_is_named_with_the_settings_that_help(start_nats: StartNats) -> None:
    server, watched = start_nats(), Watched()
    await watched.connect(replace(at(server), pending_msgs_limit=1))
    go_on = asyncio.Event()

    async def dawdle(message: object) -> None:
        await go_on.wait()

    await watched.client.subscribe("flood", cb=dawdle)
    for _ in range(5):
        await watched.client.publish("flood", b"x")
    await watched.client.flush()
    await wait_for_async(lambda: watched.problems)

    assert "flood" in watched.problems[0]
    assert "--swarm.nats.pending_msgs_limit" in watched.problems[0]
    go_on.set()
    await watched.client.close()


async def test_closing_while_the_server_is_away_ends_at_once(start_nats: StartNats) -> None:
    server, watched = start_nats(), Watched()
    await watched.connect(at(server))
    server.kill()
    await watched.lost.wait()

    await asyncio.wait_for(watched.client.close(), 3)

    assert watched.client.is_closed


async def test_closing_with_words_unsent_while_the_server_is_away_is_no_failure(
    start_nats: StartNats,
) -> None:
    server, watched = start_nats(), Watched()
    await watched.connect(at(server))
    server.kill()
    await asyncio.wait_for(watched.lost.wait(), 10)
    await watched.client.publish("said.too.late", b"x")
    # Its transport has been through an attempt that failed, and has nothing to write to.
    transport = watched.client._transport
    assert isinstance(transport, PromptTransport)
    await wait_for_async(lambda: transport._io_writer is None, 10, "a failed attempt")
    await watched.client.close()
    assert watched.client.is_closed


async def test_who_is_cancelled_while_it_sends_much_ends(start_nats: StartNats) -> None:
    watched = Watched()
    await watched.connect(at(start_nats()))

    async def flood() -> None:
        while True:
            await watched.client.publish("news", b"x" * 500_000)

    sending = asyncio.create_task(flood())
    await wait_for_async(lambda: watched.client.stats["out_msgs"] > 10, 5)
    sending.cancel()
    done, _ = await asyncio.wait({sending}, timeout=5)
    await watched.client.close()

    assert done, "the cancellation was lost"
    assert sending.cancelled()
