"""The connection to one MCP server: made when it is needed, made anew a few times, and ended with its owner."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    PARSE_ERROR,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)
from pydantic import TypeAdapter, ValidationError

from ....config.durations import format_duration
from ...child.mask import Mask, mask_for
from ...tool import child_environment
from .http import Endpoint, http
from .lost import ServerLost
from .server import Http, Server, expand, secrets_of
from .stdio import Program, stdio

log = logging.getLogger(__name__)

MOST_STARTS = 4
"""How often one owner starts a server: once, and three times after it had gone."""
MOST_PAGES = 50
CLOSING = (timedelta(seconds=12), timedelta(seconds=12), timedelta(seconds=5))
"""How long a session may take to end in order, then each time it is cancelled."""
OVERHEAD = 2**16
"""Bytes of a message around its content."""
_ANSWER: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)

T = TypeVar("T")


class Connection:
    """One server. The session lives in a task of its own; `close` waits for its end."""

    def __init__(self, server: Server, environ: Mapping[str, str], folder: Path) -> None:
        self.server = server
        self.mask: Mask = mask_for(secrets_of(server, environ))
        self._environ = environ
        self._folder = folder
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._session: ClientSession | None = None
        self._starts = 0
        self._runs = 0
        self._opened = False
        """The session that there is has begun."""
        self._used = 0.0
        self._calls = 0
        self._state: Program | Endpoint | None = None
        self._failed = ""
        """What broke the session off, in words; empty where nothing did."""
        self.protocol = ""
        """The version of MCP that was agreed on."""
        self.said = ""
        """What the server calls itself, with its version."""

    async def tools(self) -> tuple[Tool, ...]:
        """Return its tools that its user takes, as many as the limit. Raises ServerLost."""
        found: dict[str, Tool] = {}
        cursor: str | None = None
        limits = self.server.limits
        for _ in range(MOST_PAGES):
            params = PaginatedRequestParams(cursor=cursor)
            page = await self._ask(
                lambda session, params=params: session.send_request(  # type: ignore[misc]
                    ListToolsRequest(params=params), ListToolsResult
                ),
                limits.connect,
            )
            for tool in page.tools:
                if any(fnmatchcase(tool.name, pattern) for pattern in self.server.tools):
                    found.setdefault(tool.name, tool)
            if page.next_cursor is None or page.next_cursor == cursor or len(found) > limits.tools:
                break
            cursor = page.next_cursor
        if len(found) > limits.tools:
            log.warning(
                "MCP server %s brings over %d tools: the others are left out; name those you want with tools:, "
                "or raise max_tools",
                self.server.name,
                limits.tools,
            )
        return tuple(found.values())[: limits.tools]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult | InputRequiredResult:
        """Use a tool and return its answer, unread. Raises ServerLost, and MCPError for what the server refuses."""
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=dict(arguments)))
        # Not the SDK's `call_tool`: it checks answers by the server's own patterns, which can hang us.
        return await self._ask(
            lambda session: session.send_request(request, _ANSWER), self.server.limits.call
        )

    async def close(self) -> None:
        """End the session and the program, if there is one; waits for their end, also when cancelled."""
        self._stop.set()
        cancelled: asyncio.CancelledError | None = None
        task = self._task
        limits = [timedelta(0), *CLOSING] if not self._opened else [*CLOSING]
        while task is not None and not task.done():
            try:
                done, _ = await asyncio.wait({task}, timeout=limits[0].total_seconds())
            except asyncio.CancelledError as error:
                cancelled = error
                continue
            if done:
                break
            # It hangs where the protocol's own end does, or it has not begun.
            task.cancel()
            if len(limits) == 1:
                log.warning(
                    "The connection to MCP server %s does not end and is left alone", self.server.name
                )
                break
            limits.pop(0)
        if cancelled is not None:
            raise cancelled

    async def _ask(self, ask: Callable[[ClientSession], Awaitable[T]], within: timedelta) -> T:
        session = await self._connected()
        assert self._task is not None
        task = self._task
        self._calls += 1
        asked = asyncio.ensure_future(ask(session))
        try:
            # A transport that fails ends the session's task and may leave its askers waiting.
            await asyncio.wait({asked, task}, timeout=within.total_seconds(), return_when="FIRST_COMPLETED")
            if asked.done():
                return asked.result()
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise
            await self._drop()
            raise self._lost(self._why("it closed the connection"), asked=True) from None
        except ValidationError as error:
            raise self._lost(
                f"its answer is none of MCP ({error.error_count()} mistakes)", asked=True
            ) from None
        finally:
            self._calls -= 1
            self._used = time.monotonic()
            if not asked.done():
                asked.cancel()
                await asyncio.wait({asked}, timeout=1)
        broken = task.done()
        await self._drop()
        why = self._why("the connection failed") if broken else ""
        raise self._lost(why or f"it did not answer within {format_duration(within)}", asked=True)

    def _why(self, otherwise: str) -> str:
        state = self._state
        if isinstance(state, Endpoint):
            return state.refused or self._failed or otherwise
        if state is None or not state.why:
            return self._failed or otherwise
        words = f"; its last words: {state.last_words[:300]}" if state.last_words else ""
        return f"{state.why}{words}"

    def _lost(self, why: str, *, asked: bool = False) -> ServerLost:
        return ServerLost(self.mask.text(f"MCP server {self.server.name}: {why}"), asked=asked)

    async def _drop(self) -> None:
        """End the session that there is; the next question makes another."""
        self._session = None
        await self.close()

    async def _connected(self) -> ClientSession:
        async with self._lock:
            gone = isinstance(self._state, Program) and self._state.why
            if self._session is not None and self._task is not None and not self._task.done() and not gone:
                return self._session
            await self._drop()
            if self._starts >= MOST_STARTS:
                raise self._lost(
                    f"it was started {self._starts} times and is gone again ({self._why('it ended')}): do without it"
                )
            self._starts += 1
            self._runs += 1
            self._opened = False
            self._failed = ""
            self._stop = asyncio.Event()
            ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._serve(ready), name=f"mcp {self.server.name}")
            try:
                self._session = await asyncio.shield(ready)
            except asyncio.CancelledError:
                await self._drop()
                raise
            self._used = time.monotonic()
            return self._session

    async def _serve(self, ready: "asyncio.Future[ClientSession]") -> None:
        """Hold the session from its beginning to its end, as the SDK's scopes demand: all in one task."""
        limits = self.server.limits
        try:
            async with AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout(limits.connect.total_seconds()):
                        client = await stack.enter_async_context(
                            Client(
                                self._transport(),
                                cache=None,
                                read_timeout_seconds=None,
                                client_info=Implementation(name="picoclaw", version="0"),
                            )
                        )
                except TimeoutError:
                    raise self._lost(
                        f"it was not there within {format_duration(limits.connect)}"
                        + (f": {why}" if (why := self._why("")) else "")
                    ) from None
                self.protocol = client.protocol_version
                info = client.server_info
                self.said = f"{info.name} {info.version}".strip() if info is not None else ""
                self._opened = True
                ready.set_result(client.session)
                await self._until_stopped()
        except Exception as error:  # noqa: BLE001 - a server must not end its agent, whatever it does
            if not ready.done():
                ready.set_exception(self._in_words(error))
            self._failed = self._failed or _reason(error)
        finally:
            self._session = None
            if not ready.done():
                ready.set_exception(self._lost("it was stopped while it started"))
            # Looked at, so that asyncio does not complain where nobody waits any more.
            ready.exception()

    async def _until_stopped(self) -> None:
        idle = self.server.limits.idle.total_seconds()
        while not self._stop.is_set():
            left = self._used + idle - time.monotonic() if self._calls == 0 else idle
            try:
                async with asyncio.timeout(max(0.01, left)):
                    await self._stop.wait()
            except TimeoutError:
                if self._calls == 0 and time.monotonic() - self._used >= idle:
                    log.info("MCP server %s was idle and is ended", self.server.name)
                    self._starts -= 1  # it did nothing wrong
                    return

    def _in_words(self, error: BaseException) -> ServerLost:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, ServerLost):
            return error
        if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
            return self._lost(self._why("it closed the connection"))
        if isinstance(error, ValidationError):
            return self._lost("what it says is none of MCP")
        return self._lost(self._why(f"it cannot be reached ({_reason(error)})"))

    def _transport(self) -> AbstractAsyncContextManager[Any]:
        server, environ = self.server, self._environ
        if isinstance(server.way, Http):
            self._state = Endpoint(
                url=expand(server.way.url, environ),
                headers={name: expand(text, environ) for name, text in server.way.headers.items()},
                limit=server.limits.result + OVERHEAD,
                timeout=server.limits.call,
            )
            return http(self._state)
        folder = self._folder / f"{self._runs}"
        work = folder / "work"
        work.mkdir(parents=True)
        given = {name: expand(text, environ) for name, text in server.way.env.items()}
        self._state = Program(
            name=server.name,
            argv=tuple(expand(word, environ) for word in server.way.argv),
            env=child_environment({"HOME": environ.get("HOME", "/"), **given}),
            cwd=Path(expand(server.way.cwd, environ)) if server.way.cwd is not None else work,
            folder=folder,
            # An answer in JSON may take six characters for one.
            limit=6 * server.limits.result + OVERHEAD,
            mask=self.mask,
        )
        return stdio(self._state)


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError) and error.code == PARSE_ERROR:
        return "its answer is no message of MCP: is it the right address?"
    return " ".join(str(error).split())[:300] or type(error).__name__
