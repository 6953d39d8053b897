"""`picoclaw limits [show|set|unset]`: caps, quotas, ages and sizes of the whole swarm."""

from typing import TYPE_CHECKING, Any

import click

from ..aliases import AliasGroup
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm

CODES = """\b
Exit codes: 0 done, 1 failed, 2 wrong usage (nothing was changed), 3 no
connection.
"""
EPILOG = f"""\b
Examples:
  picoclaw limits
  picoclaw limits --json
  picoclaw limits set cap.code=4 request.running=50
  picoclaw limits set keep.requests=3d size.log=2GiB
  picoclaw limits set budget.usd=20 budget.tokens=5000000
  picoclaw limits unset cap.code

{CODES}"""
NAMES = """\b
cap.CAPABILITY       jobs of a capability at once, on all nodes; 0: paused
request.running      tasks of one request on their lanes or running
request.queued       tasks that one request may have
tenant.running       tasks of this H-id on their lanes or running
tenant.queued        open requests of this H-id
budget.usd           USD that agents may spend in a day (UTC); budget.tokens,
                     budget.turns likewise
keep.requests        age of ended requests; keep.dead_letters, keep.artifacts,
                     keep.events, keep.lanes likewise
size.log             bytes of the task log; size.journal, size.inbox,
                     size.dead_letters, size.events, size.artifacts likewise
"""


@click.group(
    cls=AliasGroup,
    aliases={"get": "show", "list": "show", "ls": "show", "describe": "show"},
    invoke_without_command=True,
    epilog=EPILOG,
)
@json_flag
@connection_flags
@click.pass_context
def limits(ctx: click.Context, as_json: bool) -> int | None:
    """Show, set and unset what the whole swarm is held to: caps, quotas, ages and sizes.

    They stand in the swarm itself, and every node follows them: a change holds within some seconds,
    without a restart. Without a verb the limits are shown.
    """
    if ctx.invoked_subcommand is not None:
        return None
    return _show(ctx, as_json)


@limits.command(short_help="Show the limits, and what is used of them now.", epilog=EPILOG)
@json_flag
@connection_flags
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> int:
    """Show the limits, and what the swarm uses of each now.

    \b
    --json: an object with limits (name to value: a count, seconds or bytes;
    null: no limit), set (the names that were set), caps (capability to cap,
    used and nodes), running (tasks on their lanes or running, in all and of
    the largest request), spent_today (by agents: turns, tokens, usd,
    unpriced_turns), inbox (requests that no coordinator has taken), open (these,
    and those that were taken and have not ended) and streams (name to used and
    size in bytes, messages, age_s).
    """
    return _show(ctx, as_json)


@limits.command(
    "set",
    short_help="Set limits, each as NAME=VALUE.",
    epilog=f"{NAMES}\nAges are written 3d, 12h or 90m, sizes 512MiB or 2GiB.\n\n{EPILOG}",
)
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_flag
@connection_flags
@click.pass_context
def set_limits(ctx: click.Context, values: tuple[str, ...], as_json: bool) -> int:
    """Set limits of the whole swarm.

    All of them are set, or none where one cannot be. Work that runs is never harmed: below a lower cap
    or quota nothing new begins.

    \b
    --json: an object with before and after: name to value of each limit given
    (a count, seconds or bytes; null: not set).
    """
    from .values import read_changes

    return _change(ctx, read_changes(values), as_json)


@limits.command(short_help="Unset limits: the defaults hold again.", epilog=f"{NAMES}\n{EPILOG}")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@json_flag
@connection_flags
@click.pass_context
def unset(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> int:
    """Unset limits of the whole swarm: the defaults hold again.

    \b
    --json: as that of `limits set`.
    """
    from .values import read_name

    return _change(ctx, dict.fromkeys(map(read_name, names)), as_json)


def _show(ctx: click.Context, as_json: bool) -> int:
    async def work(swarm: "Swarm") -> int:
        from ...swarm.limits.look import read_in_use
        from .showing import as_object, print_limits

        found = await read_in_use(swarm)
        if as_json:
            echo_json(as_object(found, swarm.live.base))
        else:
            print_limits(found, swarm.live.base)
        return 0

    return _session(ctx, work)


def _change(ctx: click.Context, changes: dict[str, Any], as_json: bool) -> int:
    async def work(swarm: "Swarm") -> int:
        from ...swarm.limits.checks import check_room
        from ...swarm.limits.stream_limits import apply_limits
        from ..errors import echo_warning
        from .showing import value_by_name
        from .values import plain, shown

        await check_room(swarm, changes)
        before, after = await swarm.live.change(changes)
        await swarm.live.read()
        # The janitor does it too; but it may be that no coordinator is alive, and the log is full.
        for refused in await apply_limits(swarm):
            echo_warning(refused)
        if as_json:
            echo_json(
                {
                    "before": plain({name: value_by_name(before, name) for name in changes}),
                    "after": plain({name: value_by_name(after, name) for name in changes}),
                }
            )
            return 0
        for name in changes:
            old, new = value_by_name(before, name), value_by_name(after, name)
            kind = name.partition(".")[0]
            if old == new:
                echo(f"{name}: {'not set' if new is None else shown(new, kind)}, as before")
            elif new is None:
                echo(f"{name}: not set any more (it was {shown(old, kind)})")
            else:
                was = "not set" if old is None else shown(old, kind)
                echo(f"{name}: {shown(new, kind)} (it was {was})")
        return 0

    return _session(ctx, work)


def _session(ctx: click.Context, work: Any) -> int:
    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw limits")
