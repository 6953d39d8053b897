"""`--at`, `--in` and `--cron`: a request that begins later, or comes again and again."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import ConfigError, UsageError
from ..printing.output import echo, echo_json, iso, safe

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ...config.load import Loaded
    from ...gateway.asked import Asked
    from ...swarm.records import Request
    from ...swarm.swarm import Swarm

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenOptions:
    """When a request is to begin, as it was typed."""

    at: str | None = None
    delay: str | None = None
    cron: str | None = None
    called: str | None = None
    tz: str | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """Once, at a time or after a delay."""

    at: datetime | None
    delay: timedelta | None

    async def due(self, swarm: "Swarm") -> float:
        """Return the server time that is meant; raises UsageError where the server's clock is past it."""
        from ...config.moments import check_moment
        from ...swarm.server_time import server_time

        now = await server_time(swarm)
        if self.at is None:
            assert self.delay is not None
            return now + self.delay.total_seconds()
        return check_moment(self.at, datetime.fromtimestamp(now, UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Recurring:
    """Again and again, under a name."""

    name: str
    spec: str
    zone: str
    replace: bool


When = Later | Recurring


def when_options(command: Command) -> Command:
    """Add --at, --in, --cron, --name and --tz; the command gets them as one argument `when`."""

    @functools.wraps(command)
    def with_options(*args: Any, **kwargs: Any) -> Any:
        told = {name: kwargs.pop(name) for name in WhenOptions.__slots__}
        return command(*args, when=WhenOptions(**told), **kwargs)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options  # type: ignore[return-value]  # it takes what click declares, and gives it on


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--at", metavar="TIME", help='Begin then: "2026-12-24 18:00", 18:00, "tomorrow 09:00".'),
    click.option("--in", "delay", metavar="DURATION", help="Begin after this time, such as 90m."),
    click.option(
        "--cron", metavar="SPEC", help='Begin again and again, such as "0 9 * * mon-fri"; needs --name.'
    ),
    click.option("--name", "called", metavar="NAME", help="With --cron: the name that it goes by."),
    click.option("--tz", metavar="ZONE", help="The time zone of the times. [this machine's]"),
    click.option("--replace", is_flag=True, help="Change the one that has this name."),
)


def read_when(options: WhenOptions) -> When | None:
    """Return when a request is to begin; None: now. Raises UsageError for what is past, or no time."""
    at, delay, cron, called, tz = options.at, options.delay, options.cron, options.called, options.tz
    given = [flag for flag, value in (("--at", at), ("--in", delay), ("--cron", cron)) if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together: give one")
    if cron is None and called is not None:
        raise UsageError("--name names what comes again and again: add --cron")
    if cron is None and options.replace:
        raise UsageError("--replace changes what comes again and again: add --cron")
    if tz is not None and at is None and cron is None:
        raise UsageError("--tz says in which time zone --at or --cron is read: add one of them")
    if not given:
        return None
    if cron is not None:
        return _recurring(cron, called, tz, options.replace)
    if delay is not None:
        return Later(None, _delay(delay))
    from ...config.moments import parse_moment

    return Later(parse_moment(at or "", _zone(tz), datetime.now(UTC)), None)


def _recurring(cron: str, called: str | None, tz: str | None, replace: bool) -> Recurring:
    from ...config.names import check_name
    from ...swarm.cron.spec import parse_spec

    if called is None:
        raise UsageError("--cron needs --name: by it you find, stop and change what comes again")
    parse_spec(cron)
    return Recurring(check_name(called, "the name"), " ".join(cron.split()), _zone(tz).key, replace)


def _zone(tz: str | None) -> "ZoneInfo":
    from ...config.zones import local_zone, zone_of

    return zone_of(tz) if tz is not None else local_zone()


def _delay(text: str) -> timedelta:
    from ...config.durations import parse_duration

    try:
        delay = parse_duration(text)
    except ConfigError as error:
        raise UsageError(f"--in: {error}") from None
    if delay <= timedelta(0):
        raise UsageError("--in must be above zero: write for example 90m")
    return delay


async def hand_in_later(swarm: "Swarm", request: "Request", later: Later, *, as_json: bool) -> int:
    """Have the server put a request into the inbox at its time, and say so; nobody waits for it."""
    from ...swarm.look import read_request
    from ...swarm.server_time import server_time
    from ...swarm.submission import submit
    from ...swarm.views.waiting import scheduled_for

    due = await later.due(swarm)
    new = await submit(swarm, request, at=due)
    if not new:
        # What was sent before under its key stands, and may have another time or none.
        state = await read_request(swarm, request.id)
        stands = state.due_at if state is not None else None
    else:
        stands = due
    if as_json:
        echo_json({"request": request.id, "new": new, "scheduled_for": iso(stands) if stands else None})
        return 0
    echo(request.id)
    said = scheduled_for(stands, await server_time(swarm)) if stands else "it has begun already"
    sent = "" if new else " (sent before)"
    echo(f"{safe(said)}{sent}; follow it with `picoclaw watch {request.id}`", err=True)
    return 0


async def still_later(swarm: "Swarm", request_id: str) -> str:
    """Return when a request that was sent before begins; empty: it has begun."""
    from ...swarm.look import read_request
    from ...swarm.server_time import server_time
    from ...swarm.views.waiting import scheduled_for

    state = await read_request(swarm, request_id)
    if state is None or state.due_at is None:
        return ""
    return safe(scheduled_for(state.due_at, await server_time(swarm)))


def make_recurring(
    loaded: "Loaded",
    recurring: Recurring,
    asked: "Asked",
    *,
    as_json: bool,
    whole: "Callable[[Request], Request] | None" = None,
) -> int:
    """Set what comes again and again, and say when it comes next; `whole` adds to the request."""
    from ...gateway.asked import sender
    from ..session import run_session

    async def work(swarm: "Swarm") -> int:
        from ...gateway.recurring import recurring_request
        from ...swarm.cron.store import create_schedule
        from ..cron.rows import print_created

        request = await recurring_request(asked)
        standing, new = await create_schedule(
            swarm, recurring.name, recurring.spec, recurring.zone, whole(request) if whole else request,
            by=sender(), replace=recurring.replace,
        )  # fmt: skip
        await print_created(swarm, standing, new=new, as_json=as_json)
        return 0

    return run_session(loaded, work, name="picoclaw cron")
