"""What a request says of its attempts and of whom it goes to, for people."""

from datetime import timedelta
from typing import TYPE_CHECKING

from ...config.durations import format_duration
from ..printing.output import safe
from .fields import TEXT

if TYPE_CHECKING:
    from ...swarm.records import Broadcast, Request


def policy_fields(asked: "Request | None") -> tuple[tuple[str, str], ...]:
    """Return the fields of a description; those of which the request says nothing are empty."""
    if asked is None:
        return ()
    return (
        ("Deadline", _within(asked.deadline_s, "after it was accepted")),
        ("Attempts", _attempts(asked)),
        ("Each attempt", _within(asked.task_timeout_s, "at most")),
        ("Each task", _within(asked.task_deadline_s, "at most, attempts and pauses together")),
        ("Broadcast", _broadcast(asked.broadcast) if asked.broadcast is not None else ""),
    )


def _attempts(asked: "Request") -> str:
    """Say how attempts that fail go on: `4, the second after 2s, then up to 1m apart`."""
    retry = asked.retry
    number = retry.attempts if retry is not None and retry.attempts is not None else asked.max_attempts
    parts = [str(number)] if number is not None else []
    if retry is not None and retry.first_s is not None:
        parts.append(f"the second after {_span(retry.first_s)}")
    if retry is not None and retry.longest_s is not None:
        parts.append(f"at most {_span(retry.longest_s)} apart")
    if retry is not None and retry.final:
        parts.append(f"final: {safe(' | '.join(retry.final), TEXT)}")
    return ", ".join(parts)


def _broadcast(broadcast: "Broadcast") -> str:
    """Say who has to answer, and by when."""
    quorum = broadcast.quorum
    wanted = "each must answer" if quorum is None else f"{quorum} must answer"
    return f"to every node that can do it; {wanted}{_limit(broadcast.within_s)}"


def _limit(seconds: float | None) -> str:
    return f" within {_span(seconds)}" if seconds is not None else ""


def _within(seconds: float | None, what: str) -> str:
    return f"{_span(seconds)} {what}" if seconds is not None else ""


def _span(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))
