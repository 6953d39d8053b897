"""From a fired message to the one request that it stands for. Pure.

The id comes from what was due, not from the message: what is delivered twice, or fired twice because
the server was killed and remembered an older state, is the same request, and the log accepts it once.
"""

from collections.abc import Mapping

from ...config.zones import zone_of
from ...errors import RecordRefused
from ..records import Firing, Request
from ..subjects import request_id
from .record import Schedule
from .spec import Cron, parse_spec
from .times import due_until

NEXT = "Nats-Schedule-Next"
"""Header of a fired message: when the server fires next."""
FRESH = 30.0
"""Seconds for which what was due counts as new in any case: below the minute after which the next one fires."""
SLACK = 1.0
"""Seconds by which a server's clock may be early."""


def fired_request(
    schedule: Schedule, *, at: float, seq: int, headers: Mapping[str, str], longest: float
) -> Request | None:
    """Return the request of a firing; None where the server fired and nothing was due.

    `at` and `seq`: server time and sequence of the fired message; `longest`: seconds after which a time
    that was due counts as had, since its request may have been removed by then. Raises UsageError for a
    time zone that this machine does not know, RecordRefused for a schedule that is none of ours.
    """
    which = headers.get(NEXT) or f"#{seq}"
    if schedule.thinned:
        spec = parse_spec(schedule.spec)
        if not isinstance(spec, Cron):
            raise RecordRefused(
                f"{schedule.spec[:40]!r} names no times, and yet it fires more often than it is due: it was "
                "not written by PicoClaw"
            )
        due = due_until(spec, zone_of(schedule.zone), at + SLACK)
        if due is None or due < schedule.changed_at or at - due > max(longest, FRESH):
            return None
        which = f"@{due:.0f}"
    return request_now(schedule, f"{schedule.edit} {which}", at=at)


def request_now(schedule: Schedule, which: str, *, at: float) -> Request:
    """Return the request of a schedule; `which` tells its firings apart."""
    identity, digest = request_id(f"cron {schedule.name} {which}")
    firing = Firing(schedule=schedule.name, at=at)
    return schedule.request.model_copy(update={"id": identity, "key_digest": digest, "firing": firing})
