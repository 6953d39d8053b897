"""When a question may go to a provider, so that no minute holds more than its limits. Pure."""

from dataclasses import dataclass, replace

WINDOW = 60.0
"""Seconds in which providers count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One question that went, or is to go."""

    id: str
    at: float
    """Seconds of a clock that all processes share."""
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What went to one provider of late, and what has its time already."""

    grants: tuple[Grant, ...] = ()
    """In the order of their times."""
    held: tuple[tuple[str, float], ...] = ()
    """Models that asked for rest, each with its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of each minute; None is no limit."""

    requests: int | None = None
    tokens: int | None = None


def when(pace: Pace, now: float, limits: Limits, tokens: int) -> float:
    """Return the earliest time for a question, never before one that asked earlier.

    One that alone is over the limit of tokens goes when its minute holds no other.
    """
    earliest = max(now, pace.grants[-1].at) if pace.grants else now
    times = sorted({earliest, *(t for grant in pace.grants if (t := grant.at + WINDOW) > earliest)})
    return next(time for time in times if _fits(pace, time, limits, tokens))


def resting(pace: Pace, now: float, model: str) -> float:
    """Return for how many seconds more a model is not to be asked."""
    return max(0.0, dict(pace.held).get(model, now) - now)


def granted(pace: Pace, now: float, grant: Grant) -> Pace:
    """Return the pace with one more question, and without what no minute holds any more."""
    kept = tuple(other for other in pace.grants if other.at + WINDOW > now)
    return Pace(
        grants=tuple(sorted((*kept, grant), key=lambda one: one.at)),
        held=tuple((model, end) for model, end in pace.held if end > now),
    )


def settled(pace: Pace, id: str, tokens: int | None) -> Pace:
    """Return the pace with what a question really took; None: it never went."""
    grants = (replace(one, tokens=tokens or 0) if one.id == id else one for one in pace.grants)
    return replace(pace, grants=tuple(one for one in grants if tokens is not None or one.id != id))


def rested(pace: Pace, model: str, until: float) -> Pace:
    """Return the pace with a model that is not to be asked before a time."""
    held = dict(pace.held)
    return replace(pace, held=tuple({**held, model: max(until, held.get(model, until))}.items()))


def _fits(pace: Pace, time: float, limits: Limits, tokens: int) -> bool:
    near = [grant for grant in pace.grants if grant.at <= time < grant.at + WINDOW]
    if limits.requests is not None and len(near) >= limits.requests:
        return False
    taken = sum(grant.tokens for grant in near)
    return limits.tokens is None or not near or taken + tokens <= limits.tokens
