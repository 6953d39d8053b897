"""How recurring requests are printed."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..printing.formats import Listing
from ..printing.forms import PRIORITIES
from ..printing.output import age, echo, echo_json, iso, safe

if TYPE_CHECKING:
    from ...swarm.cron.look import FiringRow, ScheduleRow
    from ...swarm.cron.store import Standing
    from ...swarm.swarm import Swarm

TEXT = 60
"""Characters of free text in a column."""
SHOWN = 3
"""Times that are shown of a schedule that was just set."""


def firing_json(row: "FiringRow | None") -> dict[str, Any] | None:
    """Return a firing's stable JSON form."""
    if row is None:
        return None
    return {
        "request": row.request,
        "at": iso(row.at),
        "state": row.state,
        "partial": row.partial,
        "reason": row.reason,
    }


def schedule_json(row: "ScheduleRow") -> dict[str, Any]:
    """Return a recurring request's stable JSON form."""
    schedule, asked = row.schedule, row.schedule.request
    return {
        "name": schedule.name,
        "spec": schedule.spec,
        "zone": schedule.zone,
        "enabled": schedule.enabled,
        "next_at": iso(row.next_at) if row.next_at is not None else None,
        "last": firing_json(row.last),
        "text": asked.text,
        "capability": asked.demand,
        "template": asked.template,
        "repository": asked.repository.label if asked.repository is not None else None,
        "priority": asked.priority,
        "created_at": iso(schedule.created_at),
        "created_by": schedule.created_by,
        "changed_at": iso(schedule.changed_at),
        "changed_by": schedule.changed_by,
    }


def local_time(at: float, zone: str) -> str:
    """Return a time on the wall of a schedule's zone, for people."""
    from ...config.zones import zone_of
    from ...errors import UsageError

    try:
        there = datetime.fromtimestamp(at, zone_of(zone))
    except UsageError:  # one that this machine does not know
        there = datetime.fromtimestamp(at).astimezone()
    return f"{there:%a %Y-%m-%d %H:%M}{f':{there:%S}' if there.second else ''} {there:%Z}"


def next_text(row: "ScheduleRow") -> str:
    """Return when it comes next, in words."""
    if not row.schedule.enabled:
        return "disabled"
    return local_time(row.next_at, row.schedule.zone) if row.next_at is not None else "-"


def listing(now: float) -> Listing["ScheduleRow"]:
    """Return how recurring requests are printed at a server time."""

    def last(row: "ScheduleRow") -> str:
        return f"{age(now - row.last.at)} ago" if row.last is not None else "-"

    return Listing(
        columns=(
            ("NAME", lambda row: safe(row.schedule.name, TEXT)),
            ("SCHEDULE", lambda row: safe(row.schedule.spec)),
            ("ZONE", lambda row: safe(row.schedule.zone)),
            ("NEXT", next_text),
            ("TEXT", lambda row: safe(row.schedule.request.text, TEXT)),
        ),
        wide=(
            ("NAME", lambda row: safe(row.schedule.name, TEXT)),
            ("SCHEDULE", lambda row: safe(row.schedule.spec)),
            ("ZONE", lambda row: safe(row.schedule.zone)),
            ("NEXT", next_text),
            ("LAST", last),
            ("REQUEST", lambda row: row.last.request if row.last is not None else "-"),
            ("ENDED", lambda row: row.last.state if row.last is not None else "-"),
            ("PRIORITY", lambda row: PRIORITIES.get(row.schedule.request.priority, "-")),
            ("TEXT", lambda row: safe(row.schedule.request.text, TEXT)),
        ),
        name=lambda row: safe(row.schedule.name),
        form=schedule_json,
        empty="nothing recurs: set it with `picoclaw cron create`",
    )


async def print_created(swarm: "Swarm", standing: "Standing", *, new: bool, as_json: bool) -> None:
    """Say what was set, and when it comes next."""
    from ...swarm.cron.look import ScheduleRow, next_firing, next_firings
    from ...swarm.cron.spec import Cron, parse_spec
    from ...swarm.server_time import server_time
    from ..errors import echo_warning

    schedule, now = standing.schedule, await server_time(swarm)
    if as_json:
        row = ScheduleRow(schedule=schedule, next_at=next_firing(standing, now))
        echo_json({**schedule_json(row), "new": new})
        return
    stood = "" if new else " stood there already, unchanged"
    echo(f"recurring request {safe(schedule.name)}{stood}: {safe(schedule.spec)} ({safe(schedule.zone)})")
    spec = parse_spec(schedule.spec)
    if isinstance(spec, Cron) and spec.either_day:
        echo_warning(
            "day of the month and weekday are both given: it comes on each day that fits either of them, as "
            "in any crontab"
        )
    if not schedule.enabled:
        echo(f"it is disabled: `picoclaw cron enable {safe(schedule.name)}`")
        return
    times = next_firings(schedule, now, since=standing.at, number=SHOWN)
    echo("next: " + (", ".join(local_time(at, schedule.zone) for at in times) or "never"))
