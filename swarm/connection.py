"""The connection to NATS: made with patience and clear words, and then kept for ever."""

import asyncio
import contextlib
import json
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import nats.errors
from nats.aio.client import Server

from ..config.settings import NatsSettings, TlsSettings
from ..config.urls import redact_url
from ..errors import JetStreamDisabled, NoServer, NotReady, PicoclawError, ServerTooOld, TlsFailed
from .client import SwarmClient
from .credentials import auth_options
from .failures import diagnose, own_server
from .server_version import MINIMUM, format_version, parse_version

Hook = Callable[[], Awaitable[None]]
Resolve = Callable[[], Awaitable[NatsSettings]]

_STEP = 4.0
"""Seconds that each step of one attempt may take: TCP, greeting, TLS, answer."""
_ATTEMPT = 8.0
_RETRY = (0.25, 0.5)
"""Seconds between attempts, drawn anew each time."""
_FIRST_RETRY = (0.0, 0.1)
_INFO = "$JS.API.INFO"
_API_TIMEOUT = 5.0
_CLOSE = 2.0
_NO_JETSTREAM = frozenset({10039, 10035})
"""JetStream is off for the account, or for the server (server/errors.json of nats-server)."""


def _nothing(_: str) -> None:
    return


def _little_said(error: PicoclawError) -> int:
    """Return how little a failure says of what stands in the way: a server that spoke knows best."""
    if not isinstance(error, NoServer):
        return 0
    return 1 if isinstance(error, NotReady) else 2


async def connect(
    nats: NatsSettings,
    *,
    name: str,
    first_wait: timedelta = timedelta(0),
    source: str = "",
    say: Callable[[str], None] = _nothing,
    on_disconnect: Hook | None = None,
    on_reconnect: Hook | None = None,
    on_problem: Callable[[str], None] = _nothing,
    resolve: Resolve | None = None,
) -> SwarmClient:
    """Connect, and check that the server can carry a swarm; afterwards reconnect for ever.

    Waits up to `first_wait` for a server, and tells `say` so once. What waiting cannot cure
    (credentials, TLS, version, JetStream) is raised at once. `source` says in errors where the
    address came from. After a loss `on_disconnect` runs, then `resolve`, which may bring a server
    back and return where it is now (also after each further failure), then `on_reconnect`;
    `on_problem` gets one line for what goes wrong in the background.
    Raises NoServer, AuthorizationFailed, TlsFailed, ServerTooOld, JetStreamDisabled, ConfigError.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + first_wait.total_seconds()
    said = False
    while True:
        keeper = _Keeper(nats, name, source, on_disconnect, on_reconnect, on_problem, resolve)
        try:
            return await keeper.first()
        except NoServer as error:
            left = deadline - loop.time()
            if left <= 0:
                raise
            if not said:
                said = True
                say(_waiting(nats, source, first_wait))
            reason = error
        await asyncio.sleep(min(random.uniform(*_RETRY), left))  # noqa: S311 (spread, not a secret)
        if resolve is not None:
            nats = await _resolved(resolve, nats, reason)


def _waiting(nats: NatsSettings, source: str, limit: timedelta) -> str:
    where = ", ".join(map(redact_url, nats.urls)) + (f" ({source})" if source else "")
    advice = "" if nats.embedded else "; start one, or use --swarm.nats.embedded"
    return f"waiting for a NATS server at {where} (up to {limit.total_seconds():g} s){advice}"


async def _resolved(resolve: Resolve, now: NatsSettings, reason: NoServer) -> NatsSettings:
    try:
        return await resolve()
    except NoServer:
        raise reason from None


def choose_server(servers: Sequence[Server], attempt: int) -> tuple[Server, float]:
    """Return whom to try next, and after how many seconds: anyone of those that failed least.

    `attempt` counts from 1. The first comes at once but for a tenth of a second, the later ones
    within half a second, spread at random: a thousand nodes do not come back in one moment.
    """
    least = min(server.reconnects for server in servers)
    spread = _FIRST_RETRY if attempt == 1 else _RETRY
    chosen = random.choice([server for server in servers if server.reconnects == least])  # noqa: S311
    return chosen, random.uniform(*spread)  # noqa: S311


class _Keeper:
    """One client and what belongs to its life: its hooks, its way back, what it says."""

    def __init__(
        self,
        nats: NatsSettings,
        name: str,
        source: str,
        on_disconnect: Hook | None,
        on_reconnect: Hook | None,
        on_problem: Callable[[str], None],
        resolve: Resolve | None,
    ) -> None:
        self.nats = nats
        self.name = name
        self.source = source
        self.on_disconnect = on_disconnect
        self.on_reconnect = on_reconnect
        self.on_problem = on_problem
        self.resolve = resolve
        self.client: SwarmClient | None = None
        self._first_error: asyncio.Future[Exception] | None = None
        self._last_problem = ""
        self._attempts = 0

    async def first(self) -> SwarmClient:
        """Try each address once; return the first that serves, else raise what stands in the way."""
        failures: list[PicoclawError] = []
        options = self._options()
        urls = list(self.nats.urls)
        random.shuffle(urls)
        for url in urls:
            client = SwarmClient(self.nats, require_tls=_tls_given(self.nats.tls))
            try:
                await self._attempt(client, url, options)
                self.client = client
                await _check(client, url)
            except BaseException as error:
                self.client = None
                await _close(client)
                if not isinstance(error, PicoclawError):
                    raise
                failures.append(error)
                continue
            client.set_server_pool(urls)
            return client
        raise min(failures, key=_little_said)

    async def _attempt(self, client: SwarmClient, url: str, options: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        self._first_error = loop.create_future()
        connecting = loop.create_task(client.connect([url], **options))
        try:
            either: set[asyncio.Future[Any]] = {connecting, self._first_error}
            done, _ = await asyncio.wait(either, timeout=_ATTEMPT, return_when=asyncio.FIRST_COMPLETED)
            cause: BaseException | None
            if self._first_error in done:
                cause = self._first_error.result()
            elif connecting in done:
                # On a connection that breaks off in the last step nats-py returns without one.
                cause = connecting.exception() or (
                    None if client.is_connected else ConnectionResetError("cut off")
                )
            else:
                cause = TimeoutError()
        finally:
            self._first_error = None
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait({connecting}, timeout=_CLOSE)
        if isinstance(cause, TimeoutError) and client._server_info:
            cause = nats.errors.Error("it greets and then says nothing: restart that server")
        if cause is not None:
            raise self._diagnosis(cause, client, url) from None

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "name": self.name,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "reconnected_cb": self._on_reconnected,
            "reconnect_to_server_handler": self._choose,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": _RETRY[0],
            "connect_timeout": _STEP,
            "ping_interval": min(self.nats.heartbeat_interval.total_seconds(), 10.0),
            "max_outstanding_pings": 2,
            "dont_randomize": True,
        }
        auth = auth_options(self.nats)
        if "password" in auth:
            # Asked for at each connect, so that a server that was made anew finds its own.
            auth = {
                "user": lambda: auth_options(self.nats).get("user", ""),
                "password": lambda: auth_options(self.nats).get("password", ""),
            }
        options |= auth
        if context := _tls_context(self.nats):
            options["tls"] = context
        return options

    def _diagnosis(self, cause: BaseException, client: SwarmClient, url: str) -> PicoclawError:
        return diagnose(
            cause,
            url,
            source=self.source,
            has_credentials=bool(self.nats.credentials or self.nats.token or "@" in url),
            tls_given=_tls_given(self.nats.tls),
            certificate_wanted=bool(client._server_info.get("tls_verify")),
        )

    def _choose(self, servers: list[Server], info: dict[str, Any]) -> tuple[Server | None, float]:
        self._attempts += 1
        return choose_server(servers, self._attempts)

    async def _on_error(self, error: Exception) -> None:
        if self._first_error is not None:
            if not self._first_error.done():
                self._first_error.set_result(error)
            # nats-py would now try again, as often as it likes; the attempt is over and is being ended.
            await asyncio.sleep(_CLOSE)
            return
        client = self.client
        if client is None or client.is_closed or client.denied.note(str(error)):
            return
        if isinstance(error, nats.errors.SlowConsumerError):
            self._tell(
                f"messages on {error.subject} come faster than they are taken and were dropped: raise "
                "--swarm.nats.pending_msgs_limit or --swarm.nats.pending_bytes_limit"
            )
            return
        problem = self._diagnosis(error, client, _url_of(client))
        if not isinstance(problem, NoServer):
            self._tell(str(problem))
        elif client.is_connected and not isinstance(error, nats.errors.UnexpectedEOF):
            self._tell(f"NATS connection: {str(error).removeprefix('nats: ')}")
        if not client.is_connected:  # on its way back
            await self._look_again()

    async def _on_disconnected(self) -> None:
        client = self.client
        if client is None or client.is_closed:
            return
        self._attempts = 0
        await self._run(self.on_disconnect)
        await self._look_again()

    async def _on_reconnected(self) -> None:
        self._last_problem = ""
        await self._run(self.on_reconnect)

    async def _look_again(self) -> None:
        """Ask where the server is now, which may bring it back."""
        if self.resolve is None or self.client is None:
            return
        try:
            self.nats = await self.resolve()
        except PicoclawError as error:
            self._tell(str(error))
            return
        self.client.set_server_pool(list(self.nats.urls))

    async def _run(self, hook: Hook | None) -> None:
        if hook is None:
            return
        try:
            await hook()
        except (PicoclawError, nats.errors.Error, OSError, TimeoutError) as error:
            # It must not end nats-py's own task, which brings the connection back.
            self._tell(f"after the connection changed: {error}")

    def _tell(self, problem: str) -> None:
        if problem != self._last_problem:
            self._last_problem = problem
            self.on_problem(problem)


def _url_of(client: SwarmClient) -> str:
    server = client._current_server
    return server.uri.geturl() if server is not None else "the server"


def _tls_given(tls: TlsSettings) -> bool:
    return tls.ca is not None or tls.cert is not None


def _tls_context(nats: NatsSettings) -> ssl.SSLContext | None:
    tls = nats.tls
    if not _tls_given(tls):
        return None  # nats-py takes the system's authorities when the server asks for TLS
    file = tls.ca
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.cert is not None:
            file = tls.cert
            context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise TlsFailed(
            f"{file} cannot be used for TLS ({getattr(error, 'reason', None) or error.strerror}): "
            "it must be a PEM file, and a certificate must fit its --swarm.nats.tls.key"
        ) from None
    return context


async def _check(client: SwarmClient, url: str) -> None:
    """Raise ServerTooOld or JetStreamDisabled unless the server can carry a swarm."""
    at = redact_url(url)
    version = parse_version(client._server_info.get("version", ""))
    if version < MINIMUM:
        raise ServerTooOld(
            f"the NATS server at {at} is version {format_version(version)}, and the swarm needs "
            f"{format_version(MINIMUM)} or later (priority groups and message schedules): update it{own_server(url)}"
        )
    try:
        error = await _jetstream_error(client)
    except nats.errors.NoRespondersError:
        raise JetStreamDisabled(
            f"the NATS server at {at} runs without JetStream: start it with `nats-server -js`{own_server(url)}"
        ) from None
    except (nats.errors.Error, TimeoutError) as failure:
        raise NotReady(
            f"JetStream of the NATS server at {at} does not answer ({str(failure).removeprefix('nats: ')}): a "
            "cluster may have no leader yet; check that most of its servers run"
        ) from None
    if error and error.get("err_code") in _NO_JETSTREAM:
        raise JetStreamDisabled(
            f"JetStream is off for this account on the NATS server at {at}: enable it there "
            f"(`jetstream: enabled` in the account), or use credentials of another account{own_server(url)}"
        )
    if error:
        raise NotReady(
            f"JetStream of the NATS server at {at} is not ready ({error.get('description')}): "
            "check the server's log"
        )


async def _jetstream_error(client: SwarmClient) -> dict[str, Any] | None:
    """Ask JetStream about this account; None when all is well, or when this user may not ask."""
    forbidden = asyncio.Event()
    stop_listening = client.denied.listen(lambda subject, reason: forbidden.set())
    asking = asyncio.ensure_future(client.request(_INFO, b"", timeout=_API_TIMEOUT))
    hearing = asyncio.ensure_future(forbidden.wait())
    try:
        await asyncio.wait({asking, hearing}, return_when=asyncio.FIRST_COMPLETED)
        if client.denied.denial(_INFO) is not None:
            return None  # a user of few rights: what else it may not do shows when it is done
        error: dict[str, Any] | None = json.loads((await asking).data).get("error")
        return error
    finally:
        stop_listening()
        for task in (asking, hearing):
            task.cancel()
        await asyncio.gather(asking, hearing, return_exceptions=True)


async def _close(client: SwarmClient) -> None:
    with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
        await asyncio.wait_for(client.close(), _CLOSE)
