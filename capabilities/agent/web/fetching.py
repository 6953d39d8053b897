"""Fetching: one page by HTTP, bounded in time and size, from addresses that may be reached.

A host's name is looked up once and the connection goes to the very address that was looked at, so that a
name that means another address a moment later leads nowhere else.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .addresses import is_metadata, is_public

if TYPE_CHECKING:
    import httpx2

TIMEOUT = timedelta(seconds=30)
"""For a page with all that leads to it."""
CONNECT = timedelta(seconds=10)
LARGEST = 8 * 2**20
"""Bytes of a page, unpacked."""
REDIRECTS = 5
TRIED = 3
"""Addresses of one host that are tried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Allow = Callable[[str], bool]
Follow = Callable[[str], bool]


class FetchFailed(Exception):
    """Raised when a page cannot be had; the message says why, and what would work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a server answered."""

    url: str
    status: int
    kind: str
    """Media type, in lower case and without what follows."""
    charset: str
    body: bytes
    cut: bool = False
    """It was longer than `LARGEST`."""
    moved: str = ""
    """Where it leads, if that is not followed: on another host, or where rules have their say."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return a host's addresses. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def anywhere(address: str) -> bool:
    """Allow every address."""
    return True


def whatever(url: str) -> bool:
    """Follow wherever a host leads on itself."""
    return True


async def fetch(
    url: str,
    *,
    allow: Allow = is_public,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    timeout: timedelta = TIMEOUT,
    largest: int = LARGEST,
    resolve: Resolve = resolve,
    follow: Follow = whatever,
) -> Fetched:
    """Get a URL, following what leads elsewhere on the same host, if `follow` says so of it too.

    With `body`, post it as JSON.

    Raises FetchFailed.
    """
    import httpx2

    try:
        async with asyncio.timeout(timeout.total_seconds()):
            for _ in range(REDIRECTS + 1):
                fetched = await _once(url, allow, headers or {}, body, largest, resolve)
                if not fetched.moved:
                    return fetched
                if not _same_host(url, fetched.moved) or not follow(fetched.moved):
                    return fetched
                url = fetched.moved
            raise FetchFailed(f"{_shown(url)} leads on and on, over {REDIRECTS} times")
    except TimeoutError:
        raise FetchFailed(f"{_shown(url)} did not answer in {timeout.total_seconds():.0f} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as error:
        raise FetchFailed(f"{_shown(url)}: {error or type(error).__name__}") from None
    except OSError as error:
        raise FetchFailed(f"{_shown(url)}: {error.strerror or error}") from None


async def _once(
    url: str, allow: Allow, headers: Mapping[str, str], body: Any, largest: int, resolve: Resolve
) -> Fetched:
    import httpx2

    target = _checked(url)
    addresses = await _addresses(target, allow, resolve)
    secure = target.scheme == "https"
    context = await asyncio.to_thread(ssl.create_default_context) if secure else False
    limits = httpx2.Timeout(TIMEOUT.total_seconds(), connect=CONNECT.total_seconds())
    # No proxy of the environment: what it may reach is not what this node may.
    async with httpx2.AsyncClient(verify=context, timeout=limits, trust_env=False) as client:
        for left, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            request = client.build_request(
                "GET" if body is None else "POST",
                target.copy_with(host=address),
                headers={
                    "Host": target.netloc.decode("ascii"),
                    "User-Agent": "picoclaw",
                    "Accept": "text/html,text/plain,application/json;q=0.9,*/*;q=0.5",
                    "Accept-Encoding": "identity",
                    **headers,
                },
                json=body,
                extensions={"sni_hostname": target.raw_host.decode("ascii")},
            )
            try:
                response = await client.send(request, stream=True, follow_redirects=False)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if not left:
                    raise
                continue
            try:
                return await _read(target, response, largest)
            finally:
                await response.aclose()
    raise FetchFailed(f"{_shown(url)}: the host has no address")


def _checked(url: str) -> "httpx2.URL":
    import httpx2

    target = httpx2.URL(url.strip())
    if target.scheme not in ("http", "https"):
        raise FetchFailed(f"{_shown(url)} is not fetched: give an address http:// or https://")
    if not target.host:
        raise FetchFailed(f"{_shown(url)} names no host")
    if target.userinfo:
        raise FetchFailed(f"{_shown(url)} holds a user name or password: leave it out")
    return target


async def _addresses(target: "httpx2.URL", allow: Allow, resolve: Resolve) -> Sequence[str]:
    port = target.port or (443 if target.scheme == "https" else 80)
    try:
        found = await resolve(target.raw_host.decode("ascii"), port)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise FetchFailed(f"the host {target.host} is not found: {why}") from None
    if any(map(is_metadata, found)):
        raise FetchFailed(
            f"{target.host} has an address at which clouds hand out a machine's keys: nothing is fetched from there"
        )
    # A host of which one address is no public one is not asked at all: another answer might name that.
    if not all(map(allow, found)):
        raise FetchFailed(
            f"{target.host} has an address that is not public, and those are not fetched from (web.private "
            "allows it on this node)"
        )
    return found[:TRIED]


async def _read(target: "httpx2.URL", response: "httpx2.Response", largest: int) -> Fetched:
    kind, _, rest = response.headers.get("content-type", "").lower().partition(";")
    charset = rest.partition("charset=")[2].partition(";")[0].strip(" \"'") or "utf-8"
    moved = ""
    if response.status_code in (301, 302, 303, 307, 308) and "location" in response.headers:
        moved = str(target.join(response.headers["location"]))
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip", "deflate"):
        raise FetchFailed(f"{_shown(str(target))} answers packed as {coding[:40]!r}, which was not asked for")
    unpack = zlib.decompressobj(47) if coding in ("gzip", "deflate") else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, largest + 1 - len(body))
        except zlib.error as error:
            raise FetchFailed(f"{_shown(str(target))} answers what cannot be unpacked: {error}") from None
        if len(body) > largest:
            break
    return Fetched(
        url=str(target),
        status=response.status_code,
        kind=kind.strip(),
        charset=charset,
        body=bytes(body[:largest]),
        cut=len(body) > largest,
        moved=moved,
    )


def _same_host(url: str, other: str) -> bool:
    here, there = urlsplit(url), urlsplit(other)
    if here.hostname != there.hostname:
        return False
    usual = {"http": 80, "https": 443}
    ports = [part.port or usual.get(part.scheme) for part in (here, there)]
    return ports[0] == ports[1] or (ports == [80, 443] and there.scheme == "https")


def _shown(url: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in url.strip())
    return text if len(text) <= 200 else text[:199] + "…"
