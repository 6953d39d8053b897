"""From what a definition says of retries to their policy."""

from ...swarm.records import Retry
from .schema import CommonDefinition


def retry_of(body: CommonDefinition) -> Retry | None:
    """Return the policy; None where the definition says nothing of it."""
    told = body.retry
    if told == type(told)():
        return None
    return Retry(
        attempts=told.attempts,
        first_s=told.delay.total_seconds() if told.delay is not None else None,
        longest_s=told.longest.total_seconds() if told.longest is not None else None,
        final=told.final,
    )
