"""Verifying: what a model says of a repository, held against its files and the analyzers' findings.

A finding that is not on the list, a file that there is not, a line that does not read as quoted: all that is
dropped, and counted. Lines that its words name besides are struck out of them where there are none.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ...change import Change
from ...findings import SEVERITIES, Explained, Finding, ModelWord
from .answer import MOST_EXPLAINED, MOST_SEEN, ModelAnswer, Seen
from .places import LinesOf, strike_places

TOOL = "model"
"""The tool of findings that a model saw."""
NEAR = 3
"""Lines around the one that is named in which the quotation may stand: models miscount."""
LEAST_QUOTE = 4
"""Characters, spaces left out, below which a quotation proves nothing."""
MOST_TEXT = 600
"""Characters of one remark."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What stands."""

    word: ModelWord
    seen: tuple[Finding, ...]


def listed(findings: Sequence[Finding], most: int) -> dict[str, Finding]:
    """Return the findings that a model is shown, the gravest first, by the names that it may use for them."""
    ranked = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return {f"F{number}": finding for number, finding in enumerate(ranked[:most], 1)}


def verify(
    answer: ModelAnswer,
    known: dict[str, Finding],
    lines_of: LinesOf,
    *,
    paths: Collection[str],
    model: str,
    change: Change | None = None,
) -> Verified:
    """Return what of an answer is true of the repository, and how much was not; `paths`: its files."""
    invented = 0

    def said(text: str, most: int = MOST_TEXT) -> str:
        nonlocal invented
        true, struck = strike_places(_text(text, most), lines_of, paths)
        invented += struck
        return true

    explained: dict[str, Explained] = {}
    dropped = max(0, len(answer.explained) - MOST_EXPLAINED) + max(0, len(answer.seen) - MOST_SEEN)
    for one in answer.explained[:MOST_EXPLAINED]:
        name = one.id.strip()
        finding = known.get(name)
        if finding is None or not one.why.strip():
            dropped += 1
        elif name not in explained:
            explained[name] = Explained(
                path=finding.path,
                line=finding.line,
                rule=finding.rule,
                tool=finding.tool,
                why=said(one.why),
            )
    seen: dict[tuple[str, int], Finding] = {}
    for claim in answer.seen[:MOST_SEEN]:
        path = claim.path.strip().removeprefix("./")
        line = _line(claim, lines_of(path))
        if line is None or (change is not None and not change.touches(path, line)):
            dropped += 1
            continue
        seen.setdefault(
            (path, line),
            Finding(
                path=path,
                line=line,
                rule=TOOL,
                severity=claim.severity,
                kind=claim.kind,
                message=said(claim.message),
                tool=TOOL,
            ),
        )
    summary = said(answer.summary, 2 * MOST_TEXT)
    word = ModelWord(
        model=model,
        summary=summary,
        explained=tuple(explained.values()),
        seen=len(seen),
        dropped=dropped + invented,
    )
    return Verified(word, tuple(seen.values()))


def _line(claim: Seen, lines: Sequence[str] | None) -> int | None:
    """Return the line on which the quotation stands, the nearest to the one that is named; None: nowhere near."""
    quote = _squeezed(claim.quote)
    if lines is None or len(quote.replace(" ", "")) < LEAST_QUOTE or not claim.message.strip():
        return None
    near = range(max(1, claim.line - NEAR), min(len(lines), claim.line + NEAR) + 1)
    found = [number for number in near if quote in _squeezed(lines[number - 1])]
    return min(found, key=lambda number: abs(number - claim.line), default=None)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _text(text: str, most: int = MOST_TEXT) -> str:
    return _squeezed("".join(c if c.isprintable() else " " for c in text))[:most]
