"""`picoclaw cron list|describe|run|enable|disable|delete`; `create` stands in a file of its own."""

from typing import TYPE_CHECKING, Any

import click

from ...gateway.asked import sender
from ..aliases import AliasGroup
from ..completion.offered import Offered
from ..flags import connection_flags, load_settings
from ..printing.formats import Format, format_flags, json_flag, read_format
from ..printing.forms import PRIORITIES
from ..printing.output import age, echo, echo_json, echo_table, iso, safe, stamp
from .create import create

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm

TEXT = 400
REASON = 200
RECENT = 10
"""Firings that a description shows."""

CODES = """\b
Exit codes: 0 done, 1 failed, or somebody else changed it at the same moment,
2 wrong usage or no such name, 3 no connection, or a NATS server that is too
old.
"""
EPILOG = f"""\b
Examples:
  picoclaw cron create nightly "30 2 * * *" "Back it up" -c backup
  picoclaw cron list -o wide
  picoclaw cron describe nightly
  picoclaw cron run nightly
  picoclaw cron disable nightly

{CODES}"""


@click.group(
    cls=AliasGroup,
    aliases={
        "ls": "list",
        "get": "list",
        "show": "describe",
        "add": "create",
        "rm": "delete",
        "remove": "delete",
    },
    epilog=EPILOG,
)
def cron() -> None:
    """Set and look after requests that come again and again.

    The NATS server keeps the time, and a coordinator makes one request of each firing. A NAME may be
    shortened to a beginning that fits no other, but for `delete`.
    """


cron.add_command(create)


def _names(ctx: click.Context) -> list[str]:
    from ..completion.online import schedule_names

    return schedule_names(ctx)


NAME = Offered("name", _names)


@cron.command("list", short_help="List what recurs, and when it comes next.", epilog=EPILOG)
@format_flags
@connection_flags
@click.pass_context
def list_schedules(ctx: click.Context, output: Format | None, as_json: bool) -> int:
    """List what recurs, and when it comes next; -o wide shows what became of the last one.

    \b
    --json: a list of objects with name, spec, zone, enabled, next_at (null while
    it is disabled), last (null, or request, at, state, partial, reason), text,
    capability, template, repository, priority, created_at, created_by,
    changed_at, changed_by.
    """
    form = read_format(output, as_json)

    async def work(swarm: "Swarm") -> int:
        from ...swarm.cron.look import schedule_rows
        from ...swarm.cron.store import list_schedules
        from ...swarm.server_time import server_time
        from .rows import listing

        now = await server_time(swarm)
        listing(now).show(await schedule_rows(swarm, await list_schedules(swarm), now), form)
        return 0

    return _session(ctx, work)


@cron.command(
    short_help="Show one: its next times, its last requests.",
    epilog=f"""\b
Examples:
  picoclaw cron describe nightly
  picoclaw cron describe nightly --json

{CODES}""",
)
@click.argument("name", type=NAME)
@json_flag
@connection_flags
@click.pass_context
def describe(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show what recurs under a name: its next times, and its last requests with how they ended.

    \b
    --json: as one object of `cron list --json`, and next (the next five times),
    firings (as last; the latest first, as far as the log still has them).
    """

    async def work(swarm: "Swarm") -> int:
        from ...swarm.cron.look import next_firings, schedule_rows
        from ...swarm.cron.store import find_schedule
        from ...swarm.server_time import server_time
        from ..describe.fields import print_fields
        from ..describe.policy import policy_fields
        from .rows import firing_json, local_time, next_text, schedule_json

        standing, now = await find_schedule(swarm, name), await server_time(swarm)
        (row,) = await schedule_rows(swarm, [standing], now)
        schedule, asked = row.schedule, row.schedule.request
        times = next_firings(schedule, now, since=standing.at, number=5) if schedule.enabled else []
        if as_json:
            echo_json(
                {
                    **schedule_json(row),
                    "next": [iso(at) for at in times],
                    "firings": [firing_json(firing) for firing in row.firings],
                }
            )
            return 0
        print_fields(
            ("Name", safe(schedule.name)),
            ("Schedule", f"{safe(schedule.spec)} ({safe(schedule.zone)})"),
            ("Next", next_text(row)),
            ("Then", ", ".join(local_time(at, schedule.zone) for at in times[1:])),
            ("Text", safe(asked.text, TEXT)),
            ("Capability", safe(asked.demand or "")),
            ("Template", safe(asked.template or "")),
            ("Repository", safe(asked.repository.label, TEXT) if asked.repository else ""),
            ("Input", safe(", ".join(asked.input), TEXT)),
            ("Priority", PRIORITIES.get(asked.priority, str(asked.priority))),
            *policy_fields(asked),
            ("Created", f"{stamp(schedule.created_at)} by {safe(schedule.created_by) or '-'}"),
            ("Changed", f"{stamp(schedule.changed_at)} by {safe(schedule.changed_by) or '-'}"),
        )
        if row.firings:
            echo("\nLast requests:")
            echo_table(
                ("  REQUEST", "FIRED", "STATUS", "REASON"),
                [
                    (f"  {one.request}", f"{age(now - one.at)} ago", _status(one), safe(one.reason, REASON))
                    for one in row.firings[:RECENT]
                ],
            )
        return 0

    return _session(ctx, work)


def _status(firing: Any) -> str:
    return "done(partial)" if firing.state == "done" and firing.partial else str(firing.state)


@cron.command(
    short_help="Fire it once, now.",
    epilog=f"""\b
Examples:
  picoclaw cron run nightly
  picoclaw watch "$(picoclaw cron run nightly)"

{CODES}""",
)
@click.argument("name", type=NAME)
@json_flag
@connection_flags
@click.pass_context
def run(ctx: click.Context, name: str, as_json: bool) -> int:
    """Fire it once, now, whether or not it is disabled; its times stay as they are.

    \b
    --json: an object with name and request.
    """

    async def work(swarm: "Swarm") -> int:
        from ...gateway.recurring import fire_now
        from ...swarm.cron.store import find_schedule

        standing = await find_schedule(swarm, name)
        request = await fire_now(swarm, standing.schedule)
        if as_json:
            echo_json({"name": standing.schedule.name, "request": request})
        else:
            echo(request)
            echo(f"follow it with `picoclaw watch {request}`", err=True)
        return 0

    return _session(ctx, work)


@cron.command(
    short_help="Let it come again.",
    epilog=f"""\b
Examples:
  picoclaw cron enable nightly

{CODES}""",
)
@click.argument("name", type=NAME)
@json_flag
@connection_flags
@click.pass_context
def enable(ctx: click.Context, name: str, as_json: bool) -> int:
    """Let a disabled one come again, from its next time on.

    \b
    --json: an object with name, enabled and changed (false: it was enabled).
    """
    return _set_enabled(ctx, name, True, as_json)


@cron.command(
    short_help="Let it come no more, and keep it.",
    epilog=f"""\b
Examples:
  picoclaw cron disable nightly

{CODES}""",
)
@click.argument("name", type=NAME)
@json_flag
@connection_flags
@click.pass_context
def disable(ctx: click.Context, name: str, as_json: bool) -> int:
    """Let it come no more, and keep it; what it has started goes on.

    \b
    --json: an object with name, enabled and changed (false: it was disabled).
    """
    return _set_enabled(ctx, name, False, as_json)


def _set_enabled(ctx: click.Context, name: str, enabled: bool, as_json: bool) -> int:
    async def work(swarm: "Swarm") -> int:
        from ...swarm.cron.look import next_firing
        from ...swarm.cron.store import enable_schedule, find_schedule
        from ...swarm.server_time import server_time
        from .rows import local_time

        standing = await find_schedule(swarm, name)
        changed = standing.schedule.enabled is not enabled
        if changed:
            standing = await enable_schedule(swarm, standing, enabled=enabled, by=sender())
        schedule = standing.schedule
        if as_json:
            echo_json({"name": schedule.name, "enabled": enabled, "changed": changed})
            return 0
        state = "enabled" if enabled else "disabled"
        due = next_firing(standing, await server_time(swarm))
        comes = f"; next: {local_time(due, schedule.zone)}" if due is not None else ""
        echo(f"{safe(schedule.name)} {state if changed else f'was {state} already'}{comes}")
        return 0

    return _session(ctx, work)


@cron.command(
    short_help="Remove it.",
    epilog=f"""\b
Examples:
  picoclaw cron delete nightly

{CODES}""",
)
@click.argument("name", type=NAME)
@json_flag
@connection_flags
@click.pass_context
def delete(ctx: click.Context, name: str, as_json: bool) -> int:
    """Remove it for good, by its whole name; what it has started goes on, and stays in the log.

    \b
    --json: an object with name and deleted.
    """

    async def work(swarm: "Swarm") -> int:
        from ...swarm.cron.store import delete_schedule, find_schedule

        standing = await find_schedule(swarm, name, whole=True)
        await delete_schedule(swarm, standing)
        if as_json:
            echo_json({"name": standing.schedule.name, "deleted": True})
        else:
            echo(f"{safe(standing.schedule.name)} deleted")
        return 0

    return _session(ctx, work)


def _session(ctx: click.Context, work: Any) -> int:
    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw cron")
