"""The join of a code review: one ranked list out of what every reviewer saw, and what none did."""

from collections.abc import Sequence

from ...capabilities.change import Change, change_of
from ...capabilities.findings import SEVERITIES
from ...errors import FinalError
from ...swarm.records import Plan, Request
from . import areas
from .areas import Part, read_parts
from .markdown import clean, count
from .merge import hot_spots, merge, tally
from .outcome import Outcome
from .report import Report
from .review_data import ChangeData, Counts, RepositoryData, ReviewData
from .review_markdown import render
from .review_model import model_data


def join_code_review(plan: Plan, request: Request, outcomes: Sequence[Outcome]) -> Report:
    """Merge the reviews of all areas into one report; `data` is a ReviewData."""
    parts = [part for outcome in outcomes for part in read_parts(outcome)]
    change = _change(request)
    found = merge((p.area, f) for p in parts if p.review is not None for f in p.review.findings)
    counts = tally(
        found,
        reported=sum(len(part.review.findings) for part in parts if part.review is not None),
        dropped=sum(part.review.dropped for part in parts if part.review is not None),
    )
    repository = request.repository
    data = ReviewData(
        repository=RepositoryData(
            label=repository.label or repository.url or "" if repository is not None else "",
            url=repository.url if repository is not None else None,
            commit=repository.commit if repository is not None else None,
        ),
        change=_change_data(change, parts) if change is not None else None,
        summary=_summary(counts, parts),
        complete=not areas.partial(parts),
        worst=next((severity for severity in SEVERITIES if counts.by_severity[severity]), None),
        counts=counts,
        areas=tuple(areas.area_data(part) for part in parts),
        model=model_data(parts),
        findings=found,
        files=hot_spots(found),
        languages=areas.languages(parts),
        not_looked_at=areas.not_looked_at(parts),
        missing=areas.missing(parts),
        notes=(*_not_limited(change, parts), *areas.notes(parts)),
    )
    return Report(markdown=render(data), data=data.to_json(), partial=not data.complete, summary=data.summary)


def _change(request: Request) -> Change | None:
    try:
        return change_of(request.input)
    except FinalError:
        # Each task said so and failed; the report tells of that.
        return None


def _change_data(change: Change, parts: Sequence[Part]) -> ChangeData:
    return ChangeData(
        base=change.base,
        commit=change.commit,
        head=change.head,
        files=len(change.files),
        lines=change.lines,
        left_out=areas.left_out(parts),
    )


def _not_limited(change: Change | None, parts: Sequence[Part]) -> tuple[str, ...]:
    """Say where a reviewer of an older version took no notice of the change."""
    unlimited = areas.unlimited(parts) if change is not None else ()
    return (
        (f"{', '.join(unlimited)}: of the whole repository, its node does not know --diff: upgrade it",)
        if unlimited
        else ()
    )


def only_reviews(outcomes: Sequence[Outcome]) -> bool:
    """Return whether there is a result, and every result is a review that can be read."""
    done = [outcome for outcome in outcomes if outcome.state == "done"]
    return bool(done) and all(part.review is not None for outcome in done for part in read_parts(outcome))


def _summary(counts: Counts, parts: Sequence[Part]) -> str:
    """Return the verdict in one line: how much was found, and which areas nobody reviewed."""
    skipped = [clean(part.area, 64) for part in parts if not part.looked]
    unread = areas.not_looked_at(parts)
    if len(skipped) == len(parts):
        return "nothing was reviewed"
    if counts.findings:
        found = ", ".join(
            f"{number:,} {severity}" for severity, number in counts.by_severity.items() if number
        )
        where = f" in {count(counts.files, 'file')}" if counts.files else ""
        verdict = f"{count(counts.findings, 'finding')}{where}: {found}"
    else:
        verdict = "no findings"
    without = [*skipped, *(clean(language, 64) for language in unread)]
    return f"{verdict}; not reviewed: {', '.join(without)}" if without else verdict
