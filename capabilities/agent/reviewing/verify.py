"""Verifying: what a model says of a repository, held against its files and the analyzers' findings.

A finding that is not on the list, a file that there is not, a line that does not read as quoted: all that is
dropped, and counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...change import Change
from ...findings import Explained, Finding, ModelWord
from .answer import MOST_EXPLAINED, MOST_SEEN, ModelAnswer, Seen

TOOL = "model"
"""The tool of findings that a model saw."""
NEAR = 3
"""Lines around the one that is named in which the quotation may stand: models miscount."""
LEAST_QUOTE = 4
"""Characters, spaces left out, below which a quotation proves nothing."""
MOST_TEXT = 600
"""Characters of one remark."""

LinesOf = Callable[[str], Sequence[str] | None]
"""The lines of a file of the repository by its path; None where there is no such text file."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What stands."""

    word: ModelWord
    seen: tuple[Finding, ...]


def listed(findings: Sequence[Finding], most: int) -> dict[str, Finding]:
    """Return the findings that a model is shown, by the names that it may use for them."""
    return {f"F{number}": finding for number, finding in enumerate(findings[:most], 1)}


def verify(
    answer: ModelAnswer,
    known: dict[str, Finding],
    lines_of: LinesOf,
    *,
    model: str,
    change: Change | None = None,
) -> Verified:
    """Return what of an answer is true of the repository, and how much was not."""
    explained: dict[str, Explained] = {}
    dropped = max(0, len(answer.explained) - MOST_EXPLAINED) + max(0, len(answer.seen) - MOST_SEEN)
    for one in answer.explained[:MOST_EXPLAINED]:
        finding = known.get(one.id.strip())
        if finding is None or not one.why.strip():
            dropped += 1
        elif one.id not in explained:
            explained[one.id] = Explained(
                path=finding.path,
                line=finding.line,
                rule=finding.rule,
                tool=finding.tool,
                why=_text(one.why),
            )
    seen: dict[tuple[str, int], Finding] = {}
    for claim in answer.seen[:MOST_SEEN]:
        line = _line(claim, lines_of)
        if line is None or (change is not None and not change.touches(claim.path, line)):
            dropped += 1
            continue
        seen.setdefault(
            (claim.path, line),
            Finding(
                path=claim.path,
                line=line,
                rule=TOOL,
                severity=claim.severity,
                kind=claim.kind,
                message=_text(claim.message),
                tool=TOOL,
            ),
        )
    word = ModelWord(
        model=model,
        summary=_text(answer.summary, 2 * MOST_TEXT),
        explained=tuple(explained.values()),
        seen=len(seen),
        dropped=dropped,
    )
    return Verified(word, tuple(seen.values()))


def _line(claim: Seen, lines_of: LinesOf) -> int | None:
    """Return the line on which the quotation stands, the nearest to the one that is named; None: nowhere near."""
    quote = _squeezed(claim.quote)
    lines = lines_of(claim.path)
    if lines is None or len(quote.replace(" ", "")) < LEAST_QUOTE or not claim.message.strip():
        return None
    near = range(max(1, claim.line - NEAR), min(len(lines), claim.line + NEAR) + 1)
    found = [number for number in near if quote in _squeezed(lines[number - 1])]
    return min(found, key=lambda number: abs(number - claim.line), default=None)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _text(text: str, most: int = MOST_TEXT) -> str:
    return _squeezed("".join(c if c.isprintable() else " " for c in text))[:most]
