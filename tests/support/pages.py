"""A web server of a test's own: it answers each path as the test says, and notes what it was asked."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = bytes | Callable[[str], bytes]


def page(body: bytes | str, *, status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole answer."""
    data = body.encode() if isinstance(body, str) else body
    given = {"content_type": "text/html; charset=utf-8", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "connection: close", "", ""]).encode() + data


def packed(body: bytes) -> bytes:
    """Return an answer that is packed though nobody asked for it."""
    return page(gzip.compress(body), content_encoding="gzip", content_type="text/plain")


@dataclass
class Pages:
    """What the server has, and what it was asked."""

    port: int
    answers: Mapping[str, Answer]
    asked: list[str] = field(default_factory=list)
    """Each question, head and body."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def served(answers: Mapping[str, Answer], secure: ssl.SSLContext | None = None) -> AsyncIterator[Pages]:
    """Serve answers by path, without what follows `?`; `HANG` answers nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (
                    int(line.split(":")[1])
                    for line in head.lower().splitlines()
                    if line.startswith("content-length")
                ),
                0,
            )
            body = (await reader.readexactly(length)).decode()
            pages.asked.append(head + body)
            path = head.split()[1]
            made = answers.get(path.partition("?")[0], page("nothing here", status="404 Not Found"))
            data = made(path) if callable(made) else made
            if data == HANG:
                await asyncio.sleep(60)
            writer.write(data)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who asked has gone
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=secure)
    pages = Pages(server.sockets[0].getsockname()[1], answers)
    try:
        yield pages
    finally:
        server.close()


HANG = b"HANG"
