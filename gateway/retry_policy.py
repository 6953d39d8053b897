"""From what a sender says of retries to their policy, checked before a connection is made."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..swarm.records import Retry

LONGEST = timedelta(days=1)
"""The longest pause between two attempts."""
MOST_PATTERNS = 50
PATTERN_LENGTH = 500
"""Characters of one pattern at most."""


def retry_of(
    *, delay: timedelta | None = None, longest: timedelta | None = None, final: Sequence[str] = ()
) -> "Retry | None":
    """Return the policy, None where nothing is said of it.

    `delay` is the pause before the second attempt; it doubles up to `longest`. `final` are shell
    patterns of errors that no further attempt can mend. Raises UsageError for what is out of range.
    """
    from ..swarm.records import Retry

    for what, pause in (("the retry delay", delay), ("the longest retry delay", longest)):
        if pause is not None and not timedelta(0) <= pause <= LONGEST:
            raise UsageError(f"{what} is out of range: give 0s to 24h")
    if delay is not None and longest is not None and longest < delay:
        raise UsageError("the longest retry delay is below the first one: raise it, or leave it out")
    if len(final) > MOST_PATTERNS:
        raise UsageError(f"{len(final)} patterns of final errors are too many: give {MOST_PATTERNS} at most")
    for pattern in final:
        if not pattern.strip() or len(pattern) > PATTERN_LENGTH or not _carried(pattern):
            raise UsageError(
                f"the pattern of final errors {pattern[:60]!r} is none: give a text of at most "
                f"{PATTERN_LENGTH} characters, in which * stands for anything"
            )
    if delay is None and longest is None and not final:
        return None
    return Retry(
        first_s=delay.total_seconds() if delay is not None else None,
        longest_s=longest.total_seconds() if longest is not None else None,
        final=tuple(final),
    )


def _carried(pattern: str) -> bool:
    """Return whether it is UTF-8: the shell may pass on any bytes."""
    try:
        pattern.encode()
    except UnicodeEncodeError:
        return False
    return True
