"""Results by their bodies: the join of what lay in the object store, from bytes to bytes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import RecordRefused
from ...swarm.records import Plan, Request, Result
from .by_model.written import Written
from .join import join
from .outcome import Outcome


@dataclass(frozen=True, slots=True)
class Joined:
    """A report as the result of its request."""

    body: bytes
    """The whole result in its wire form."""
    summary: str
    partial: bool
    failed: str


def join_bodies(
    plan: Plan,
    request: Request,
    outcomes: Sequence[Outcome],
    bodies: Mapping[str, bytes],
    written: Written | str | None = None,
) -> Joined:
    """Join outcomes, those of the steps in `bodies` with the result that stands there.

    `written`: as `join` takes it.

    One that cannot be read is missing, with the reason. Raises PlanError as `join` does.
    """
    report = join(plan, request, with_bodies(outcomes, bodies), written)
    result = Result(summary=report.summary, data={"markdown": report.markdown, "data": report.data})
    return Joined(result.to_bytes(), report.summary, report.partial, report.failed)


def with_bodies(outcomes: Sequence[Outcome], bodies: Mapping[str, bytes]) -> list[Outcome]:
    """Return outcomes with their whole results; one that cannot be read is missing, with the reason."""
    return [_whole(outcome, bodies.get(outcome.step)) for outcome in outcomes]


def _whole(outcome: Outcome, body: bytes | None) -> Outcome:
    if body is None:
        return outcome
    try:
        return replace(outcome, result=Result.from_bytes(body))
    except RecordRefused as error:
        return replace(outcome, result=None, reason=str(error))
