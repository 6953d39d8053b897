"""`picoclaw approvals list`: what agents wait to be allowed."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import UsageError
from ..aliases import AliasGroup
from ..completion.offered import REQUEST
from ..flags import connection_flags, load_settings
from ..printing.formats import Format, format_flags, read_format
from ..printing.output import echo, echo_line, safe

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm

CODES = """\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage or no such
request, 3 no connection, 130 Ctrl-C ends --watch.
"""
EPILOG = f"""\b
Examples:
  picoclaw approvals
  picoclaw approvals -o wide
  picoclaw approvals list --all --json
  picoclaw approvals list --watch
  picoclaw approve a-k3pq
  picoclaw deny a-k3pq --why "not on a Friday"

{CODES}"""

F = TypeVar("F", bound=Callable[..., Any])


def list_flags(command: F) -> F:
    """Declare what to list, and how: on the list, and on the group, which lists without a verb."""
    which = click.option("--request", "request", type=REQUEST, help="Only the questions of this request.")
    every = click.option(
        "--all", "everything", is_flag=True, help="Those that were answered or have expired, too."
    )
    on = click.option(
        "--watch", "-w", is_flag=True, help="Then print each new one as it comes, until Ctrl-C."
    )
    return which(every(on(format_flags(command))))


@click.group(
    cls=AliasGroup,
    aliases={"ls": "list", "get": "list"},
    invoke_without_command=True,
    epilog=EPILOG,
)
@list_flags
@connection_flags
@click.pass_context
def approvals(
    ctx: click.Context,
    request: str | None,
    everything: bool,
    watch: bool,
    output: Format | None,
    as_json: bool,
) -> int | None:
    """List what agents ask people: uses of tools, uncertain steps, spent budgets.

    An agent asks where a policy says so, where a crash left a step of which nobody knows whether it was
    done, and where its budget says `on_breach: ask`. Its task waits, without a slot, until somebody
    answers by `picoclaw approve` or `picoclaw deny`; a question that expires is denied. Without a verb
    it does what `approvals list` does. The table cuts a long question; `-o wide` shows it whole.
    """
    if ctx.invoked_subcommand is None:
        return _list(ctx, read_format(output, as_json), request, everything=everything, watch=watch)
    if request is not None or everything or watch or output is not None or as_json:
        raise UsageError(
            f"options of the list stand behind its name: `picoclaw approvals {ctx.invoked_subcommand} …`"
        )
    return None


@approvals.command("list", short_help="What waits for an answer.", epilog=EPILOG)
@list_flags
@connection_flags
@click.pass_context
def list_approvals(
    ctx: click.Context,
    request: str | None,
    everything: bool,
    watch: bool,
    output: Format | None,
    as_json: bool,
) -> int:
    """List what waits for an answer, the oldest first.

    \b
    --json: a list of objects with id, task, request, about (tool, uncertain,
    budget), tool, text, rules, node, state (waiting, allowed, denied, skipped,
    expired), asked_at, expires_at, by, why, always, answered_at. With --watch
    one object per line.
    """
    return _list(ctx, read_format(output, as_json), request, everything=everything, watch=watch)


def _list(ctx: click.Context, form: Format, request: str | None, *, everything: bool, watch: bool) -> int:
    async def work(swarm: "Swarm") -> int:
        from ...swarm.approvals.listing import list_asked
        from ...swarm.approvals.store import list_open
        from ...swarm.resolve import resolve
        from ...swarm.server_time import server_time
        from .rows import listing

        wanted = (await resolve(swarm, request)).state.id if request is not None else None
        if watch:
            return await _watch(swarm, wanted, as_json=form == "json")
        found = await (list_asked if everything else list_open)(swarm, wanted)
        now = await server_time(swarm)
        listing(now, everything=everything).show([asked.record for asked in found], form)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw approvals")


async def _watch(swarm: "Swarm", request: str | None, *, as_json: bool) -> int:
    """Print what waits, then what comes; until it is interrupted."""
    from ...errors import RecordRefused
    from ...swarm.approvals.record import ApprovalRecord
    from ...swarm.approvals.store import list_open
    from ...swarm.follow import Followed
    from ...swarm.server_time import server_time
    from .rows import approval_json

    coming: asyncio.Queue[ApprovalRecord] = asyncio.Queue()
    shown: set[str] = set()

    def heard(followed: Followed) -> None:
        try:
            record = ApprovalRecord.from_bytes(followed.data) if followed.data else None
        except RecordRefused:
            return
        if record is not None and record.verdict is None and request in (None, record.request):
            coming.put_nowait(record)

    def show(record: ApprovalRecord, now: float) -> None:
        if record.id in shown:
            return
        shown.add(record.id)
        if as_json:
            echo_line(approval_json(record, now))
        else:
            echo(f"{safe(record.id)}  {safe(record.task)}  {safe(record.text, 1000)}")

    names = swarm.names
    await server_time(swarm)
    async with swarm.following(f"KV_{names.approvals}", f"$KV.{names.approvals}.>", heard) as complete:
        await complete.wait()
        while not coming.empty():
            coming.get_nowait()
        for asked in await list_open(swarm, request):
            show(asked.record, await server_time(swarm))
        while True:
            record = await coming.get()
            now = await server_time(swarm)
            if record.open(now):
                show(record, now)
