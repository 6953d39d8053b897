"""Check the way to a swarm: address, server, rights, JetStream, streams, nodes, each in one row."""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import nats.errors

from ...errors import (
    AuthorizationFailed,
    JetStreamDisabled,
    PermissionDenied,
    PicoclawError,
    ServerTooOld,
    SwarmError,
    TlsFailed,
)
from ..client import SwarmClient
from ..connection import connect
from ..embedded.rundir import picoclaw_home
from ..identity import find_hid
from ..locate import Located, Told, locate, shown
from ..look import look_around
from ..look_lanes import open_requests, read_lanes
from ..server_version import MINIMUM, format_version
from ..subjects import Names
from ..swarm import Swarm, open_swarm
from ..views.lanes import LaneRow, planned_by_demand
from ..views.lanes import lane_rows as view_rows
from ..views.nodes import Around
from ..wire import ApiError, NobodyListens, Wire
from .account import Store, account_row, hid_rows, store_rows
from .greeting import Greeting, greet
from .members import clock_row, lane_rows, member_rows
from .row import Row, failed, failed_with, ok, warning

CONNECT = 3.0
"""Seconds for logging in at a server that greets."""
ASK = timedelta(seconds=2)
LOOK = 3.0
"""Seconds for looking at all nodes, and as many for all lanes."""
ECHOES = 0.3
"""Seconds in which everybody who answers to a name is listened to."""
MOST_ASKED = 100
SOON = 14
"""Days before its end from which on a certificate is worth a warning."""
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Checked:
    """All rows, and whether any server was reached."""

    rows: tuple[Row, ...]
    reached: bool


async def check_nats(told: Told, *, home: Path | None = None) -> Checked:
    """Check from the address to the nodes, as far as one gets; takes some seconds at most.

    Nothing is started or changed, and no secret is in what is returned. `home` is `~/.picoclaw`
    unless given.
    """
    home = home or picoclaw_home()
    try:
        located = locate(told, home=home)
    except OSError as error:
        detail = f"the run directory's record cannot be read: {error.strerror}"
        return Checked((failed("address", detail, f"chmod -R u+rwX {home}"),), True)
    rows = [ok("address", f"{shown(located.nats)} ({located.source})")]
    greetings = await asyncio.gather(*map(greet, located.nats.urls))
    reached = [greeting for greeting in greetings if greeting.reached]
    rows += [_connect_row(greeting, bool(reached)) for greeting in greetings]
    if not reached:
        return Checked(tuple(rows), False)
    nats_settings = replace(located.nats, urls=tuple(greeting.address for greeting in reached))
    rows += await _logged_in(replace(located, nats=nats_settings), told, reached[0])
    return Checked(tuple(rows), True)


def _connect_row(greeting: Greeting, any_reached: bool) -> Row:
    if greeting.reached:
        took = f"greets after {greeting.millis:.1f} ms" if greeting.info is not None else "a WebSocket"
        return ok("connect", f"{greeting.url}: {took}")
    if any_reached:
        return warning("connect", greeting.problem, greeting.fix)
    return failed("connect", greeting.problem, greeting.fix)


async def _logged_in(located: Located, told: Told, greeting: Greeting) -> list[Row]:
    info = greeting.info or {}
    try:
        async with asyncio.timeout(CONNECT):
            client = await connect(located.nats, name="picoclaw check", source=located.source)
    except TimeoutError:
        return [
            failed(
                "connect",
                f"{greeting.url} greets and does not answer within {CONNECT:g} s",
                "restart that server; if it is one of a cluster, see that most of its servers run",
            )
        ]
    except ServerTooOld as error:
        return [failed_with("server", str(error))]
    except TlsFailed as error:
        return [_server_row(info), failed_with("TLS", str(error))]
    except AuthorizationFailed as error:
        return [_server_row(info), failed_with("auth", str(error))]
    except JetStreamDisabled as error:
        return [_server_row(info), _auth_row(info, located), failed_with("jetstream", str(error))]
    except PicoclawError as error:
        return [failed_with("connect", str(error))]
    rows = [await _round_trip(client), _tls_row(client), _auth_row(client._server_info, located)]
    try:
        async with Wire(client) as wire:
            return rows + await _stored(wire, client, located, told)
    except (PicoclawError, nats.errors.Error, TimeoutError) as error:
        said = str(error).removeprefix("nats: ") or "no answer in time"
        return [*rows, failed("jetstream", said, "check the server's log, and try again")]
    finally:
        await _close(client)


def _server_row(info: dict[str, Any]) -> Row:
    name = info.get("server_name")
    named = f" {name!r}" if name and name != info.get("server_id") else ""
    version = info.get("version", "of unknown version")
    return ok("server", f"nats-server {version}{named}; {format_version(MINIMUM)} or later is needed")


async def _round_trip(client: SwarmClient) -> Row:
    row = _server_row(client._server_info)
    began = time.monotonic()
    try:
        async with asyncio.timeout(ASK.total_seconds()):
            await client.flush()
    except (TimeoutError, nats.errors.Error):
        return warning("server", f"{row.detail}; it did not answer a PING", "picoclaw --swarm.check-nats")
    return ok("server", f"{row.detail}; round trip {(time.monotonic() - began) * 1000:.1f} ms")


def _auth_row(info: dict[str, Any], located: Located) -> Row:
    given = located.nats.credentials or located.nats.token or any("@" in url for url in located.nats.urls)
    if info.get("auth_required"):
        return ok("auth", "accepted")
    return ok("auth", "not needed; the credentials that were given go unused" if given else "not needed")


def _tls_row(client: SwarmClient) -> Row:
    writer = getattr(client._transport, "_io_writer", None)  # a WebSocket has none
    certificate = writer.get_extra_info("peercert") if writer is not None else None
    if writer is None or writer.get_extra_info("ssl_object") is None:
        return ok("TLS", "off")
    if not certificate:
        return ok("TLS", "on")
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / _DAY
    detail = f"on: certificate for {', '.join(names[:3]) or 'no name'}, {days:.0f} days to go"
    return warning("TLS", detail, "renew the server's certificate") if days < SOON else ok("TLS", detail)


async def _stored(wire: Wire, client: SwarmClient, located: Located, told: Told) -> list[Row]:
    try:
        account = await wire.api("INFO", timeout=ASK)
        store = Store(await _streams(wire))
    except PermissionDenied as error:
        return [failed_with("jetstream", str(error))]
    rows = [account_row(account)]
    wanted = told.settings.swarm.hid
    try:
        hid = await find_hid(wire, wanted)
    except (ApiError, NobodyListens):
        hid = None
    given = str(told.origins["swarm.hid"]) if wanted is not None else ""
    rows += hid_rows(store, hid, given=given)
    if hid is None or Names(hid).slug not in store.slugs():
        return rows
    rows += store_rows(store, Names(hid))
    return rows + await _in_swarm(client, located, hid)


async def _streams(wire: Wire) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    while True:
        page = await wire.api("STREAM.LIST", {"offset": len(found)}, timeout=ASK)
        streams = page.get("streams") or []
        found |= {str(info["config"]["name"]): info for info in streams}
        if not streams or len(found) >= int(page.get("total", 0)):
            return found


async def _in_swarm(client: SwarmClient, located: Located, hid: str) -> list[Row]:
    """Look at nodes and lanes."""

    async def dial(*_: Callable[[], Awaitable[None]]) -> SwarmClient:
        return client

    async with open_swarm(dial, located.nats, hid=hid, make=False) as swarm:
        try:
            async with asyncio.timeout(LOOK):
                around = await look_around(swarm)
                rows = member_rows(around, await _answers(swarm))
                rows.append(clock_row(around.now, time.time()))
        except (TimeoutError, SwarmError, PermissionDenied) as error:
            return [warning("nodes", f"could not be looked at: {error or 'no answer in time'}", "try again")]
        try:
            async with asyncio.timeout(LOOK):
                return rows + lane_rows(await _lanes(swarm, around))
        except (TimeoutError, SwarmError, PermissionDenied) as error:
            said = f"could not be looked at: {error or 'no answer in time'}"
            return [*rows, warning("lanes", said, "picoclaw get lanes")]


async def _lanes(swarm: Swarm, around: Around) -> list[LaneRow]:
    planned = planned_by_demand(await open_requests(swarm))
    return view_rows(await read_lanes(swarm), around, planned)


async def _answers(swarm: Swarm) -> dict[str, int]:
    """Return how many runs answer to each node's name."""
    runs: dict[str, set[bytes]] = defaultdict(set)
    subscriptions = []
    members = sorted(swarm.members.table.values(), key=lambda member: member.sign.last_heard, reverse=True)
    for member in members[:MOST_ASKED]:
        inbox = swarm.client.new_inbox()

        async def heard(message: Any, name: str = member.beat.node) -> None:
            if not message.headers:  # with headers it is the server, saying that nobody listens
                runs[name].add(bytes(message.data))

        subscriptions.append(await swarm.client.subscribe(inbox, cb=heard))
        await swarm.client.publish(swarm.names.probe(member.beat.node), reply=inbox)
    if subscriptions:
        await swarm.client.flush()
        await asyncio.sleep(ECHOES)
    for subscription in subscriptions:
        await subscription.unsubscribe()
    return {name: len(found) for name, found in runs.items()}


async def _close(client: SwarmClient) -> None:
    if client.is_closed:
        return
    try:
        async with asyncio.timeout(1):
            await client.close()
    except (TimeoutError, OSError, nats.errors.Error):
        return  # the process ends, and the connection with it
