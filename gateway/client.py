"""The Python client: hand in a request, watch it, wait for its report, cancel it, look around."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import JsonValue

from ..config.home import home_folder
from ..config.load import load
from ..config.moments import check_moment
from ..errors import UsageError
from ..swarm.cancel import cancel_request, cancel_task
from ..swarm.look import list_requests, look_around, read_requests
from ..swarm.resolve import Found, resolve, the_one
from ..swarm.retry import retry_request
from ..swarm.server_time import server_time
from ..swarm.subjects import REQUEST_STEP
from ..swarm.submission import Ended, LogEvent, Progress, Said, Unroutable, submit, wait, watch
from ..swarm.swarm import Swarm
from ..swarm.views.history import history_row
from ..swarm.views.nodes import NodeRow
from ..swarm.views.requests import RequestRow, TaskRow, request_row, task_rows
from .asked import sender
from .broadcast import broadcast_of
from .change import limit_to_change
from .checked import asked_for, tell
from .results import read_history, read_result
from .retry_policy import retry_of
from .seen import Description, Event, Report, RequestHandle, TaskResult
from .session import open_session

if TYPE_CHECKING:
    from .schedules import Schedules

log = logging.getLogger(__name__)

NAME = "picoclaw client"
AT_ONCE = 50
"""Requests read at a time while tasks are still wanted."""


@asynccontextmanager
async def connect(
    urls: str | Sequence[str] | None = None,
    *,
    hid: str | None = None,
    credentials: str | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator["SwarmClient"]:
    """Connect to a swarm that runs; the connection closes with the block, and nothing else does.

    Without arguments it goes where the command line would go: by `PICOCLAW_*` variables (`environ`
    unless it is None), `~/.picoclaw/config.yaml` (or `config`), then the shared server of this
    machine. `settings` holds any other setting by its dotted key; arguments win over all else.
    Raises ConfigError, ConnectError, SwarmError.
    """
    given: dict[str, object] = dict(settings or {})
    named = {"swarm.nats.urls": urls, "swarm.hid": hid, "swarm.nats.credentials": credentials}
    given |= {key: value for key, value in named.items() if value is not None}
    loaded = load(
        given,
        os.environ if environ is None else environ,
        file=Path(config) if config is not None else None,
        home=home_folder(),
    )
    for warning in loaded.warnings:
        log.debug("%s", warning)
    async with open_session(loaded, name=NAME, tell=tell) as swarm:
        yield SwarmClient(swarm)


def run_request(text: str, *, timeout: timedelta | None = None, **options: Any) -> Report:
    """Hand in a request, wait for its end and return its report, from code that has no event loop.

    `options` are those of `SwarmClient.submit`; the swarm is found as `connect()` finds it. Raises
    what `connect`, `submit` and `wait` raise.
    """

    async def whole() -> Report:
        async with connect() as swarm:
            return await swarm.wait(await swarm.submit(text, **options), timeout=timeout)

    return asyncio.run(whole())


class SwarmClient:
    """One connection to a swarm. Ids may be whole, or any beginning that fits no other."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm

    @property
    def hid(self) -> str:
        """The H-id of the swarm."""
        return self._swarm.names.hid

    async def submit(
        self,
        text: str,
        *,
        capability: str | None = None,
        node: str | None = None,
        labels: Mapping[str, str] | None = None,
        repo: str | Path | None = None,
        diff: str | None = None,
        template: str | None = None,
        input: Mapping[str, JsonValue] | None = None,
        priority: int = 1,
        deadline: timedelta | None = None,
        unroutable: Unroutable | None = None,
        max_attempts: int | None = None,
        retry_delay: timedelta | None = None,
        retry_longest: timedelta | None = None,
        final: Sequence[str] = (),
        task_timeout: timedelta | None = None,
        task_deadline: timedelta | None = None,
        key: str | None = None,
        broadcast: bool = False,
        quorum: int | str | None = None,
        within: timedelta | None = None,
        at: datetime | None = None,
        delay: timedelta | None = None,
    ) -> RequestHandle:
        """Hand in a request and return at once; it runs whether or not anybody waits for it.

        With `capability` (such as `code`, `docs+security`), `node` or `labels` it is one task for
        whoever offers that; else a coordinator plans it. `repo` is a folder or git URL; a review of
        "this repository" without one means the current folder; with `diff` only what changed since
        that commit or branch counts. `input` is what the executor gets
        beside the text. `priority` is 0 low to 3 critical; past `deadline` the request ends failed;
        `unroutable` says what to do while no node serves a task (wait, fail, skip, local); `key` makes
        sending twice sending once. Each of its tasks is tried `max_attempts` times with a pause of
        `retry_delay` doubling to `retry_longest`, unless its error fits a pattern in `final`; an attempt
        takes at most `task_timeout`, all of them at most `task_deadline`. With `broadcast` every node that offers the capability does it, for
        at most `within`; `quorum` is how many must answer (a number, `N%`, `majority`; all of them). With `at`, a time
        with its zone, or `delay` the server keeps it until then. Raises
        UsageError and its kind for wrong input, before anything is sent; QueueFull, SwarmError.
        """
        asked = asked_for(
            text, capability=capability, node=node, labels=labels, repo=repo, template=template, input=input,
            priority=priority, deadline=deadline, unroutable=unroutable, max_attempts=max_attempts, key=key,
        )  # fmt: skip
        for what, limit in (("task_timeout", task_timeout), ("task_deadline", task_deadline)):
            if limit is not None and limit <= timedelta(0):
                raise UsageError(f"{what} must be above zero: give for example timedelta(minutes=10)")
        policy = retry_of(delay=retry_delay, longest=retry_longest, final=final)
        asked = replace(asked, retry=policy, task_timeout=task_timeout, task_deadline=task_deadline)
        if broadcast:
            wide = broadcast_of(quorum=quorum, within=within, demand=asked.demand, unroutable=unroutable)
            asked = replace(asked, broadcast=wide)
        elif quorum is not None or within is not None:
            raise UsageError("quorum and within are those of a broadcast: add broadcast=True")
        if diff is not None:
            asked, _ = await asyncio.to_thread(limit_to_change, asked, diff)
        due = await self._due(at, delay) if at is not None or delay is not None else None
        request = await asked.request(self._swarm)
        return RequestHandle(request.id, await submit(self._swarm, request, at=due))

    async def _due(self, at: datetime | None, delay: timedelta | None) -> float:
        """Return the server time that is meant; raises UsageError."""
        now = await server_time(self._swarm)
        if at is not None and delay is not None:
            raise UsageError("at and delay do not go together: give one")
        if at is None:
            if delay is None or delay <= timedelta(0):
                raise UsageError("delay must be above zero: give for example timedelta(minutes=90)")
            return now + delay.total_seconds()
        if at.tzinfo is None:
            raise UsageError("at has no time zone: give for example datetime(2026, 12, 24, 18, tzinfo=UTC)")
        return check_moment(at, datetime.fromtimestamp(now, UTC)).timestamp()

    @property
    def schedules(self) -> "Schedules":
        """What recurs."""
        from .schedules import Schedules

        return Schedules(self._swarm)

    async def watch(self, request: RequestHandle | str) -> AsyncGenerator[Event]:
        """Yield what has happened to a request so far, then what happens, to its end.

        It survives lost connections; leaving the loop changes nothing. Raises NotFound, Ambiguous.
        """
        identity = await self._request_id(request)
        # Whoever leaves the loop leaves the inner one too, and with it its subscriptions.
        async with aclosing(
            cast(AsyncGenerator[LogEvent | Progress | Said | Ended], watch(self._swarm, identity))
        ) as happened:
            async for event in happened:
                if isinstance(event, Ended):
                    return
                step = "" if event.step == REQUEST_STEP else event.step
                if isinstance(event, Said):
                    yield Event(request=identity, step=step, what="said", message=event.text, node=event.node)
                    continue
                if not isinstance(event, LogEvent):
                    yield Event(
                        request=identity, step=step, what="progress", message=event.message, node=event.node,
                        fraction=event.fraction,
                    )  # fmt: skip
                    continue
                row = history_row(event.entry, seq=event.seq, at=event.at, step=step)
                yield Event(
                    request=identity, step=step, what=row.what, message=row.reason, node=row.node,
                    attempt=row.attempt, at=row.at, seq=row.seq,
                    last=not step and row.what in ("done", "failed", "cancelled"),
                )  # fmt: skip

    async def wait(self, request: RequestHandle | str, *, timeout: timedelta | None = None) -> Report:
        """Return a request's report once it has ended.

        Raises SwarmTimeout past `timeout` (the request goes on), NotFound, Ambiguous.
        """
        identity = await self._request_id(request)
        ended = await wait(self._swarm, identity, limit=timeout)
        body = ended.result.data if ended.result is not None else None
        data = body if isinstance(body, dict) else {}
        return Report(
            request=identity,
            state=ended.head.state,
            partial=ended.head.partial,
            reason=ended.head.reason,
            summary=ended.result.summary if ended.result is not None else "",
            markdown=str(data.get("markdown") or ""),
            data=data.get("data"),
        )

    async def result(self, task: str) -> TaskResult:
        """Return what a task brought so far. Raises NotFound, Ambiguous, UsageError for a request's id."""
        found = await resolve(self._swarm, task)
        if found.step is None:
            raise UsageError(f"{found.id} is a request: wait() has its report, and a task is {found.id}.STEP")
        state, reason, brought = await read_result(self._swarm, found)
        return TaskResult(
            task=found.id,
            state=state,
            reason=reason,
            summary=brought.summary if brought else "",
            data=brought.data if brought else None,
            log=(brought.log or "") if brought else "",
            artifacts=tuple(ref.model_dump(exclude_none=True) for ref in brought.artifacts)
            if brought
            else (),
        )

    async def cancel(self, id: RequestHandle | str, why: str = "") -> bool:
        """Cancel a request with all its tasks, or one task; False when it had ended before.

        A request's tasks end first; `wait` returns when it has ended. Raises NotFound, Ambiguous.
        """
        found = await resolve(self._swarm, str(id))
        reason = why.strip() or "cancelled by a program"
        if found.step is not None:
            return not await cancel_task(self._swarm, found.state.id, found.step, why=reason, by=sender())
        outcome = await cancel_request(
            self._swarm, found.state.id, why=reason, by=sender(), text=found.state.asked
        )
        return not outcome.ended

    async def retry(self, id: RequestHandle | str) -> RequestHandle:
        """Run again, as a new request, what did not finish of one that has ended; or one of its tasks.

        What was done is carried over; what waits for a task follows it. `new` is False where the same is
        being retried already. Raises NotFound, Ambiguous; UsageError while it runs, or where all is done.
        """
        found = await resolve(self._swarm, str(id))
        steps = () if found.step is None else (found.step,)
        made = await retry_request(self._swarm, found.state, steps, sender=sender())
        return RequestHandle(made.request, made.new)

    async def nodes(self) -> list[NodeRow]:
        """Return the nodes by name, each asked once whether it is still there."""
        return list((await look_around(self._swarm)).nodes)

    async def requests(self, *, limit: int | None = 50) -> list[RequestRow]:
        """Return the newest requests, newest first; all of them with `limit=None`."""
        around = await look_around(self._swarm)
        listed = await list_requests(self._swarm)
        return [request_row(state, around) for state in await read_requests(self._swarm, listed[:limit])]

    async def tasks(
        self, request: RequestHandle | str | None = None, *, limit: int | None = 50
    ) -> list[TaskRow]:
        """Return the tasks of one request, or of all, those of the newest request first.

        Raises NotFound, Ambiguous.
        """
        around = await look_around(self._swarm)
        if request is not None:
            return task_rows((await self._found(request)).state, around, limit)
        listed = await list_requests(self._swarm)
        rows: list[TaskRow] = []
        for start in range(0, len(listed), AT_ONCE):
            for state in await read_requests(self._swarm, listed[start : start + AT_ONCE]):
                rows += task_rows(state, around, limit)
            if limit is not None and len(rows) >= limit:
                break
        return rows[:limit]

    async def describe(self, request: RequestHandle | str) -> Description:
        """Return a request with its tasks and its whole history. Raises NotFound, Ambiguous."""
        state = (await self._found(request)).state
        around = await look_around(self._swarm)
        return Description(
            request=request_row(state, around),
            tasks=tuple(task_rows(state, around)),
            history=tuple(await read_history(self._swarm, state.id)),
        )

    async def node(self, name: str) -> NodeRow:
        """Return one node. Raises NotFound, Ambiguous."""
        rows = {row.name: row for row in await self.nodes()}
        return rows[the_one(name, rows, "node", hint=f"there are {len(rows)}")]

    async def _found(self, request: RequestHandle | str) -> Found:
        found = await resolve(self._swarm, str(request))
        if found.step is not None:
            raise UsageError(f"{found.id} is a task: give its request, {found.state.id}")
        return found

    async def _request_id(self, request: RequestHandle | str) -> str:
        # One that was just handed in may be on its way from the inbox to the log, and found in neither.
        return request.id if isinstance(request, RequestHandle) else (await self._found(request)).state.id
