"""The parts of a code review: what each reviewer returned, and what is missing from it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from ...capabilities.findings import Review, ToolRun
from ...swarm.records import VERSION
from .markdown import clean, count
from .outcome import Outcome, in_words
from .review_data import AreaData

_SILENT = frozenset({"failed", "timed out", "not installed"})
"""Ends of a tool after which finding nothing means nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """One area: its outcome, and its review if there is one that can be read."""

    outcome: Outcome
    review: Review | None
    why_not: str
    """Why there is none; empty when there is one."""

    @property
    def area(self) -> str:
        return self.outcome.step if self.review is None else self.review.area

    @property
    def silent_tools(self) -> tuple[ToolRun, ...]:
        """Tools that should have spoken and could not."""
        return tuple(run for run in self.review.tools if run.status in _SILENT) if self.review else ()

    @property
    def looked(self) -> bool:
        """Whether its finding nothing is good news: a tool ended well, or there was nothing to do."""
        if self.review is None:
            return False
        ended = {run.status for run in self.review.tools}
        return "ok" in ended or ("nothing to do" in ended and not ended & _SILENT)


def read_part(outcome: Outcome) -> Part:
    """Read a reviewer's result; one that is no review counts as missing, with the reason."""
    result = outcome.result
    if outcome.state != "done" or result is None or (result.data is None and result.ref is not None):
        return Part(outcome, None, in_words(outcome))
    try:
        review = Review.model_validate(result.data)
    except ValidationError:
        return Part(
            outcome, None, "the result is not a review: its node runs another version or another tool"
        )
    if review.v != VERSION:
        return Part(outcome, None, f"the result has version {review.v}, upgrade the coordinator")
    return Part(outcome, review, "")


def area_data(part: Part) -> AreaData:
    """Return the part as it stands in the JSON."""
    outcome, review = part.outcome, part.review
    return AreaData(
        area=part.area,
        title=outcome.title,
        state=outcome.state,
        reason=outcome.reason,
        reviewed=part.looked,
        why_not=part.why_not or ("" if part.looked else _no_tool(part)),
        node=outcome.node,
        attempts=outcome.attempts,
        seconds=outcome.seconds,
        reported=len(review.findings) if review else 0,
        dropped=review.dropped if review else 0,
        tools=review.tools if review else (),
        facts=review.facts if review else {},
        notes=review.notes if review else (),
    )


def _no_tool(part: Part) -> str:
    return "none of its tools could run" if part.silent_tools else "no tool ran"


def missing(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return what was not reviewed, one line each: areas, tools, findings beyond a cap, languages."""
    lines: list[str] = []
    for part in parts:
        if part.why_not:
            lines.append(f"{part.area}: not reviewed, {clean(part.why_not, 400)}")
        elif not part.looked:
            lines.append(f"{part.area}: not reviewed, {_no_tool(part)}")
    for part in parts:
        lines += [f"{part.area}: {tool_in_words(run)}" for run in part.silent_tools]
    for part in parts:
        if part.review is not None and part.review.dropped:
            dropped = count(part.review.dropped, "more finding")
            lines.append(f"{part.area}: {dropped} beyond the reviewer's limit, counted but not listed")
    return (*lines, *_unread_languages(parts))


def tool_in_words(run: ToolRun) -> str:
    """Say how a tool ended that could not do its work."""
    detail = f" ({clean(run.detail, 200)})" if run.detail else ""
    verb = "is not installed" if run.status == "not installed" else run.status
    return f"{clean(run.tool, 64)} {verb}{detail}"


def partial(parts: Sequence[Part]) -> bool:
    """Return whether something is missing that was asked for.

    That is an area without a review or without a tool that ended well, or a tool that failed or ran
    out of time. A tool that is merely not installed beside others that ran is named, no more.
    """
    return any(
        not part.looked or any(run.status != "not installed" for run in part.silent_tools) for part in parts
    )


def languages(parts: Sequence[Part]) -> dict[str, int]:
    """Return the repository's languages and their number of files, most files first."""
    found: dict[str, int] = {}
    for review in _reviews(parts):
        for language, files in review.languages.items():
            found[language] = max(files, found.get(language, 0))
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def not_looked_at(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the languages that no tool read, most files first."""
    seen = {language for review in _reviews(parts) for language in review.looked_at}
    return tuple(language for language in languages(parts) if language not in seen)


def _unread_languages(parts: Sequence[Part]) -> list[str]:
    files = languages(parts)
    nobody = not_looked_at(parts)
    lines = [f"{clean(name, 64)} ({count(files[name], 'file')}): no tool looked at it" for name in nobody]
    readers = {review.area: set(review.looked_at) for review in _reviews(parts)}
    deep = [area for area in ("code", "security") if area in readers]
    for name in files:
        by = sorted(area for area, names in readers.items() if name in names)
        if deep and name not in nobody and not set(deep) & set(by):
            who = "neither code nor security" if len(deep) == 2 else f"not {deep[0]}"
            lines.append(
                f"{clean(name, 64)} ({count(files[name], 'file')}): only {', '.join(by)} looked at it, {who}"
            )
    return lines


def notes(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the reviewers' notes, each once, with the areas that made it."""
    made: dict[str, list[str]] = {}
    for part in parts:
        for note in part.review.notes if part.review is not None else ():
            made.setdefault(clean(note, 300), []).append(part.area)
    return tuple(f"{', '.join(dict.fromkeys(areas))}: {note}" for note, areas in made.items())


def _reviews(parts: Iterable[Part]) -> list[Review]:
    return [part.review for part in parts if part.review is not None]
