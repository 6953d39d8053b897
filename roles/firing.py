"""What a coordinator makes of a schedule that fired: the request, with the repository as it is now."""

import asyncio
import logging
from datetime import timedelta

from ..capabilities.repository.reference import resolve_url
from ..errors import RepositoryError, UsageError
from ..swarm.cron.firing import fired_request
from ..swarm.cron.record import Schedule
from ..swarm.delivered import Delivered
from ..swarm.records import Request
from ..swarm.subjects import FIRED
from ..swarm.swarm import Swarm

log = logging.getLogger(__name__)

LOOK_UP = timedelta(seconds=15)
"""Below the ack wait: nobody else is to take the firing meanwhile."""
TRIES = 3
"""Looks at a repository before the request goes on without it, and says so by failing."""


class NotNow(UsageError):
    """Raised when a firing cannot become a request yet; it is delivered again."""


def is_fired(last_token: str) -> bool:
    """Return whether what lies in the inbox was put there by a schedule."""
    return last_token.startswith(FIRED)


async def take_firing(swarm: Swarm, delivered: Delivered) -> Request | None:
    """Return the request that a firing stands for; None where nothing was due.

    Raises RecordRefused for a message that is no schedule, NotNow when its repository does not answer.
    """
    schedule = Schedule.from_bytes(delivered.data)
    try:
        request = fired_request(
            schedule,
            at=delivered.at,
            seq=delivered.delivery.seq,
            headers=delivered.headers,
            longest=swarm.limits.requests_kept.total_seconds() / 2,
        )
    except UsageError as error:
        raise NotNow(f"recurring request {schedule.name!r}: {error}") from None
    if request is None or request.repository is None or request.repository.url is None:
        return request
    repository = request.repository
    if repository.commit is not None or (await swarm.log.request_head(request.id)).seq:
        return request
    try:
        now = await asyncio.to_thread(resolve_url, repository.url or "", LOOK_UP)
    except RepositoryError as error:
        if delivered.delivery.count < TRIES:
            raise NotNow(f"recurring request {schedule.name!r}: {error}") from None
        log.warning("recurring request %s goes on without its repository: %s", schedule.name, error)
        return request
    return request.model_copy(update={"repository": now})
