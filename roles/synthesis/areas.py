"""The parts of a code review: what each reviewer returned, and what is missing from it. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from ...capabilities.findings import Review, ToolRun
from ...capabilities.languages import PROGRAMMING
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
        """Tools that should have spoken and could not; a language's own that is not here is no fault."""
        runs = self.review.tools if self.review else ()
        return tuple(
            run
            for run in runs
            if run.status in _SILENT and not (run.languages and run.status == "not installed")
        )

    @property
    def unread(self) -> tuple[str, ...]:
        """Programming languages of the repository that no tool of this area reads."""
        if self.review is None:
            return ()
        seen = set(self.review.looked_at)
        return tuple(name for name in self.review.languages if name in PROGRAMMING and name not in seen)

    @property
    def blind_because(self) -> str:
        """Why its finding nothing says nothing; empty when a tool ended well or nothing was to do."""
        if self.review is None:
            return self.why_not
        ended = {run.status for run in self.review.tools}
        if "ok" in ended:
            return ""
        if self.silent_tools:
            return "none of its tools could run"
        if why := "; ".join(why_unread([self], name) for name in self.unread[:5] if why_unread([self], name)):
            return clean(why, 300)
        if self.unread:
            return f"no tool here reads {clean(', '.join(self.unread[:5]), 200)}"
        return "" if "nothing to do" in ended else "no tool ran"

    @property
    def looked(self) -> bool:
        """Whether its finding nothing is good news."""
        return not self.blind_because


def read_parts(outcome: Outcome) -> Iterator[Part]:
    """Read a reviewer's result: one review, or a list of them for a task with several areas.

    A result that is no review counts as missing, with the reason. One after the other is read, so that
    who stops at the first that is none does not read a list of millions.
    """
    result = outcome.result
    if outcome.state != "done" or result is None or (result.data is None and result.ref is not None):
        yield Part(outcome, None, in_words(outcome))
        return
    bodies = result.data if isinstance(result.data, list) and result.data else [result.data]
    for body in bodies:
        yield _read(outcome, body)


def _read(outcome: Outcome, body: JsonValue) -> Part:
    try:
        review = Review.model_validate(body)
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
        why_not=part.blind_because,
        node=outcome.node,
        attempts=outcome.attempts,
        seconds=outcome.seconds,
        reported=len(review.findings) if review else 0,
        dropped=review.dropped if review else 0,
        tools=review.tools if review else (),
        facts=review.facts if review else {},
        notes=review.notes if review else (),
    )


def missing(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return what was not reviewed, one line each: areas, languages, tools, findings beyond a cap."""
    lines = [
        f"{part.area}: not reviewed, {clean(part.blind_because, 400)}" for part in parts if not part.looked
    ]
    lines += _unread_languages(parts)
    for part in parts:
        lines += [f"{part.area}: {tool_in_words(run)}" for run in part.silent_tools]
    for part in parts:
        if part.review is not None and part.review.dropped:
            dropped = count(part.review.dropped, "more finding")
            lines.append(f"{part.area}: {dropped} beyond the reviewer's limit, counted but not listed")
    for part in parts:
        runs = part.review.tools if part.review is not None else ()
        # Of a language's own tool the line on the language tells.
        skipped = [run for run in runs if run.status == "not asked" and not run.languages]
        lines += [f"{part.area}: {tool_in_words(run)}" for run in skipped]
    return tuple(lines)


def tool_in_words(run: ToolRun) -> str:
    """Say how a tool ended that did not do its work."""
    detail = f" ({clean(run.detail, 200)})" if run.detail else ""
    verb = {"not installed": "is not installed", "not asked": "not asked for"}.get(run.status, run.status)
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
    """Return the programming languages that no tool read, most files first."""
    seen = {language for review in _reviews(parts) for language in review.looked_at}
    return tuple(name for name in languages(parts) if name in PROGRAMMING and name not in seen)


def _unread_languages(parts: Sequence[Part]) -> list[str]:
    files = languages(parts)
    nobody = not_looked_at(parts)
    lines = [
        f"{name} ({count(files[name], 'file')}): not reviewed, "
        + (why_unread(parts, name) or "no tool here reads it")
        for name in nobody
    ]
    readers = {review.area: set(review.looked_at) for review in _reviews(parts)}
    deep = [area for area in ("code", "security") if area in readers]
    for name in files:
        by = sorted(area for area, names in readers.items() if name in names)
        if name in PROGRAMMING and name not in nobody and deep and not set(deep) & set(by):
            others = "neither code nor security" if len(deep) == 2 else f"not {deep[0]}"
            lines.append(f"{name} ({count(files[name], 'file')}): read by {', '.join(by)} only, {others}")
    return lines


def why_unread(parts: Sequence[Part], language: str) -> str:
    """Return why the tool of a language said nothing of it, such as `go is not on the PATH of worker-1`."""
    reasons = []
    for part in parts:
        for run in part.review.tools if part.review is not None else ():
            if language not in run.languages or run.status == "ok":
                continue
            why = clean(run.detail, 300) or run.status
            if run.status == "not installed" and part.outcome.node and why.endswith(" on the PATH"):
                reasons.append(f"{why} of {clean(part.outcome.node, 64)}")
            else:
                reasons.append(
                    why if run.status == "not installed" else f"{clean(run.tool, 64)} not run: {why}"
                )
    return "; ".join(dict.fromkeys(reasons))


def left_out(parts: Sequence[Part]) -> int:
    """Return how many findings lay outside the change that was to be reviewed."""
    return sum(review.left_out or 0 for review in _reviews(parts))


def unlimited(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the areas whose reviewer knew nothing of a change and told of the whole repository."""
    return tuple(part.area for part in parts if part.review is not None and part.review.left_out is None)


def notes(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the reviewers' notes, each once, with the areas that made it.

    What all of them noted bears no name. Not those on a language: `missing` says that of all areas
    together.
    """
    known = tuple(f"{language} (" for language in languages(parts))
    made: dict[str, list[str]] = {}
    for part in parts:
        for note in part.review.notes if part.review is not None else ():
            if not note.startswith(known):
                made.setdefault(clean(note, 300), []).append(part.area)
    everybody = {part.area for part in parts if part.review is not None}
    return tuple(
        note if set(by) == everybody and len(by) > 1 else f"{', '.join(dict.fromkeys(by))}: {note}"
        for note, by in made.items()
    )


def _reviews(parts: Iterable[Part]) -> list[Review]:
    return [part.review for part in parts if part.review is not None]
