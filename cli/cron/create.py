"""`picoclaw cron create NAME SPEC TEXT`: `dispatch --cron`, with the name and the times first."""

from typing import Any

import click

from ..dispatch_command import dispatch
from ..grouped import GroupedCommand
from ..printing.output import echo, echo_json, iso

NOT_HERE = frozenset({"text", "base", "key", "at", "delay", "cron", "called", "detach"})
"""What `dispatch` takes, and what comes again and again does not."""
SHOWN = 5
"""Times that --dry-run shows."""

EPILOG = """\b
Examples:
  picoclaw cron create nightly "30 2 * * *" "Back it up" -c backup
  picoclaw cron create audit "0 9 * * mon-fri" --tz Europe/Berlin \\
    "Review this repository" --repo https://example.org/x.git
  picoclaw cron create report "0 7 1 * *" --template report "The report"
  picoclaw cron create check "@every 10m" "Is it up?" -c ping
  picoclaw cron create x "0 0 29 feb *" --tz UTC --dry-run

\b
SPEC has five fields: minute, hour, day of the month, month, weekday; names
(mon, jan), lists, ranges and steps; or @hourly, @daily, @weekly, @monthly,
@yearly, or @every DURATION. Where both day fields are given either one fits.
A time that the change to summer time leaves out comes an hour later, one that
comes twice counts once. Of firings that no coordinator takes only the latest
stays.
Exit codes: 0 it stands, 1 failed, 2 wrong usage or the name is taken, 3 no
connection, or a NATS server that is too old.
"""


def _as_dispatch(command: click.Command) -> click.Command:
    """Add the options of `dispatch` that make sense here."""
    have = {param.name for param in command.params}
    command.params += [
        param for param in dispatch.params if param.name not in NOT_HERE and param.name not in have
    ]
    return command


@_as_dispatch
@click.command(cls=GroupedCommand, epilog=EPILOG, short_help="Set what is asked again and again.")
@click.argument("name")
@click.argument("spec")
@click.argument("text", required=False)
@click.option("--dry-run", is_flag=True, help="Print the next times and set nothing.")
@click.pass_context
def create(
    ctx: click.Context, /, name: str, spec: str, text: str | None, dry_run: bool, **options: Any
) -> int:
    """Set what is asked again and again, under a NAME, at the times of SPEC.

    The NATS server keeps the time: no process of yours need run. A repository is named by its URL, and
    each firing looks up its newest commit.

    \b
    --json: as one object of `cron list --json`, and new (false: the very same
    stood there already).
    """
    if dry_run:
        return _next_times(spec, options["tz"], as_json=options["as_json"])
    code: int = ctx.invoke(dispatch, text=text, cron=spec, called=name, **options)
    return code


def _next_times(spec: str, tz: str | None, *, as_json: bool) -> int:
    import time

    from ...config.zones import local_zone, zone_of
    from ...swarm.cron.spec import Every, parse_spec
    from ...swarm.cron.times import due_after
    from .rows import local_time

    parsed = parse_spec(spec)
    zone = zone_of(tz) if tz is not None else local_zone()
    times: list[float] = []
    at = time.time()
    while len(times) < SHOWN:
        due = (
            at + parsed.interval.total_seconds() if isinstance(parsed, Every) else due_after(parsed, zone, at)
        )
        if due is None:
            break
        times.append(at := due)
    if as_json:
        echo_json({"spec": spec, "zone": zone.key, "next": [iso(due) for due in times]})
    else:
        echo("\n".join(local_time(due, zone.key) for due in times) or "never")
    return 0
