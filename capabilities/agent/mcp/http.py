"""A server elsewhere as an MCP transport: streamable HTTP with headers, and answers of bounded size."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

CONNECT = timedelta(seconds=10)


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """A server to be reached, and what it said last."""

    url: str
    headers: Mapping[str, str]
    limit: int
    """Bytes of one response."""
    timeout: timedelta
    """Without a byte of a response."""
    refused: str = ""
    """Why it says no to every message, in words; empty while it does not."""


@asynccontextmanager
async def http(endpoint: Endpoint) -> AsyncIterator[Any]:
    """Yield the streams of a server's messages."""

    async def look(response: httpx2.Response) -> None:
        if response.status_code in (401, 403):
            endpoint.refused = f"it refuses us ({response.status_code}): look at the headers that it is given"
        elif response.status_code >= 500:
            endpoint.refused = f"it failed with status {response.status_code}"
        elif response.status_code < 400:
            endpoint.refused = ""
        if response.headers.get("content-encoding", "identity") != "identity":
            # A few packed bytes can stand for gigabytes.
            raise httpx2.DecodingError("it packs its answers although it was asked not to")
        response.stream = _Limited(response.stream, endpoint.limit)

    timeout = httpx2.Timeout(CONNECT.total_seconds(), read=endpoint.timeout.total_seconds())
    headers = {**endpoint.headers, "Accept-Encoding": "identity"}
    async with httpx2.AsyncClient(
        headers=headers, timeout=timeout, event_hooks={"response": [look]}
    ) as client:
        streams: AbstractAsyncContextManager[Any] = streamable_http_client(
            endpoint.url, http_client=client, max_sse_event_size=endpoint.limit
        )
        async with streams as both:
            yield both


class _Limited(httpx2.AsyncByteStream):
    """A response that ends with an error where it is too long."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._limit:
                raise httpx2.ReadError(f"its answer has over {self._limit // 2**10:,} KB")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
