"""Does a NATS server greet at an address: name, port, protocol and round trip, each by itself."""

import asyncio
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...config.urls import DEFAULT_PORT, is_default_address, redact_url

RESOLVE = 2.0
CONNECT = 1.5
GREET = 1.0
"""Seconds that a server may take to say who it is."""
ASK_BACK = 0.7
"""Seconds for finding out what it is that says nothing."""
_LARGEST = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What came of one address."""

    url: str
    """Without credentials."""
    address: str
    """The address as it was given."""
    info: dict[str, Any] | None = None
    """The server's INFO; None where none came, or where none is expected (WebSocket)."""
    millis: float = 0.0
    """Time until it greeted."""
    problem: str = ""
    fix: str = ""

    @property
    def reached(self) -> bool:
        return not self.problem


async def greet(address: str) -> Greeting:
    """Go to an address as far as one gets without saying who one is; never raises for what it meets."""
    url = redact_url(address)
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORT
    if parts.scheme in ("ws", "wss"):
        return Greeting(url=url, address=address)
    resolved = await _resolve(host, port)
    if isinstance(resolved, str):
        return Greeting(
            url=url,
            address=address,
            problem=f"{host}: {resolved}",
            fix=f"check the host name (getent hosts {host}); another address goes in --swarm.nats.urls",
        )
    began = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Greeting(
            url=url,
            address=address,
            problem=f"{host}:{port} does not answer: a firewall may drop what is sent there",
            fix=f"open port {port} towards {host} in the firewall (nc -vz {host} {port} shows it)",
        )
    except OSError as error:
        return Greeting(url=url, address=address, problem=_refused(error, host, port), fix=_start(address))
    try:
        first = await _read(reader, GREET)
        millis = (time.monotonic() - began) * 1000
        if first.startswith(b"INFO ") and (info := _info(first)) is not None:
            return Greeting(url=url, address=address, info=info, millis=millis)
        what, fix = await _stranger(first, reader, writer, host, port)
        return Greeting(url=url, address=address, problem=f"{host}:{port} {what}", fix=fix)
    finally:
        writer.transport.abort()


async def _resolve(host: str, port: int) -> list[str] | str:
    """Return the host's addresses, or why there are none.

    In a thread of its own that nobody waits for: the system's resolver takes as long as it likes.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str] | str] = loop.create_future()

    def tell(found: list[str] | str) -> None:
        if not answer.done():
            answer.set_result(found)

    def ask() -> None:
        found: list[str] | str
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            found = f"this name does not resolve ({getattr(error, 'strerror', None) or error})".lower()
        try:
            loop.call_soon_threadsafe(tell, found)
        except RuntimeError:
            return  # too late: the loop has ended

    threading.Thread(target=ask, daemon=True).start()
    try:
        async with asyncio.timeout(RESOLVE):
            return await answer
    except TimeoutError:
        return f"the resolver has not answered for {RESOLVE:g} s"


async def _read(reader: asyncio.StreamReader, limit: float) -> bytes:
    """Return the first line, or as much as came in time."""
    data = b""
    try:
        async with asyncio.timeout(limit):
            while b"\n" not in data and len(data) < _LARGEST:
                part = await reader.read(4096)
                if not part:
                    break
                data += part
    except (TimeoutError, OSError):
        return data
    return data


def _info(line: bytes) -> dict[str, Any] | None:
    try:
        info = json.loads(line.partition(b" ")[2].partition(b"\n")[0])
    except ValueError:
        return None
    return info if isinstance(info, dict) else None


def _refused(error: OSError, host: str, port: int) -> str:
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower():
        return f"nobody listens on port {port} of {host}: connection refused"
    return f"{host}:{port} cannot be reached: {error.strerror or error}"


def _start(address: str) -> str:
    if is_default_address(address):
        return "nats-server -js, or a server of your own: picoclaw --swarm.role coordinator --swarm.nats.embedded"
    port = urlsplit(address).port or DEFAULT_PORT
    return f"start the server there (nats-server -js -p {port}), or give its address in --swarm.nats.urls"


async def _stranger(
    said: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> tuple[str, str]:
    """Say what it may be that answers without NATS's greeting, and what to do."""
    elsewhere = "give the address of a NATS server in --swarm.nats.urls (its usual port is 4222)"
    if port == DEFAULT_PORT and host in ("localhost", "127.0.0.1", "::1"):
        elsewhere += ", or share one of your own with --swarm.nats.embedded"
    if not said:
        web, secured = await asyncio.gather(_speaks_http(reader, writer), _speaks_tls(host, port))
        if web:
            return "is a web server, not NATS (8222 is only NATS's monitoring)", elsewhere
        if secured:
            return (
                "speaks TLS before it greets, which this program does not",
                "take `handshake_first` out of the server's tls block, or set it to auto",
            )
        return "takes connections and says nothing", elsewhere
    return "is something else than NATS", elsewhere


async def _speaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    try:
        async with asyncio.timeout(ASK_BACK):
            writer.write(b"HEAD / HTTP/1.0\r\n\r\n")
            await writer.drain()
            return (await reader.read(5)).startswith(b"HTTP")
    except (TimeoutError, OSError):
        return False


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: it is only asked whether it speaks TLS at all
    try:
        async with asyncio.timeout(ASK_BACK):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (TimeoutError, OSError):
        return False
    writer.transport.abort()
    return True
