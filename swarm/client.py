"""nats-py's client, told to be as careful as a swarm needs."""

import asyncio
from functools import lru_cache
from typing import Any
from urllib.parse import ParseResult, unquote

import nats.errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from ..config.settings import NatsSettings
from .nats_import import import_websockets
from .permissions import PermissionWatch
from .transport import PromptTransport


@lru_cache(maxsize=256)
def _header_name(name: bytes) -> str:
    """Return a header's name, or "" for one that nats-py would leave out."""
    try:
        key = name.strip().decode("ascii")
    except UnicodeDecodeError:
        return ""
    return "" if any(map(str.isspace, key)) else key


class SwarmClient(Client):
    """A client that never sends secrets in the clear when TLS was asked for, and never gives up.

    `denied` knows which subjects the server has forbidden.
    """

    def __init__(self, nats: NatsSettings, *, require_tls: bool) -> None:
        super().__init__()
        self.denied = PermissionWatch()
        self._limits = {
            "pending_msgs_limit": nats.pending_msgs_limit,
            "pending_bytes_limit": nats.pending_bytes_limit,
        }
        self._require_tls = require_tls
        if any(url.startswith(("ws://", "wss://")) for url in nats.urls):
            import_websockets()
        else:
            self._transport = PromptTransport()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        # nats-py looks at each character of each name again; every entry of the log has a header.
        headers: dict[str, str] = {}
        for line in raw.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon and (key := _header_name(name)):
                headers[key] = value.strip().decode("utf-8", "replace")
        return headers

    async def subscribe(self, *args: Any, **options: Any) -> Subscription:
        """As nats-py's, with the settings' pending limits unless others are given."""
        return await super().subscribe(*args, **(self._limits | options))

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        # nats-py takes whoever is cancelled here for done: it would go on, and who waits for its end with it.
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        found = await super()._flush_pending(force_flush)
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
        return found

    @staticmethod
    def _parse_server_uri(connect_url: str) -> ParseResult:
        # nats-py sends what stands before the @ as it is; other clients decode it, and so `nats url` quotes it.
        uri = Client._parse_server_uri(connect_url)
        userinfo, at, host = uri.netloc.rpartition("@")
        return uri._replace(netloc=f"{unquote(userinfo)}@{host}") if at else uri

    def _connect_command(self) -> bytes:
        # nats-py upgrades to TLS only when the server's greeting asks for it, whatever the address says:
        # anybody in between could strip that and read the credentials that follow.
        server = self._current_server
        wanted = self._require_tls or (server is not None and server.uri.scheme == "tls")
        if wanted and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnWantedError
        return super()._connect_command()

    async def _process_err(self, err_msg: str) -> None:
        # nats-py closes for good on any error but these; an account that is reloaded, a user that has
        # expired or a connection limit may be well again in a second.
        if "permissions violation" in err_msg or "stale connection" in err_msg:
            await super()._process_err(err_msg)
            return
        error = nats.errors.Error("nats: " + err_msg.strip("'"))
        self._err = error
        await self._error_cb(error)
        await self._process_op_err(error)
