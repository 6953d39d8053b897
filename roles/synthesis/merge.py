"""Merging findings: duplicates across tools become one, and the order is that of importance. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ...capabilities.findings import SEVERITIES, Finding, FindingKey, Kind, Severity, key_of
from .review_data import Counts, HotSpot, MergedFinding, Source

KIND_ORDER: tuple[Kind, ...] = (
    "secret", "vulnerability", "syntax", "bug", "types", "test", "coverage",
    "complexity", "dead-code", "docstring", "spelling", "style", "format",
)  # fmt: skip
"""What to look at first among findings of one severity."""

WHOLE = "."
"""The path of a finding about the repository as a whole."""
HOT_SPOTS = 10
_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_KIND_RANK = {kind: rank for rank, kind in enumerate(KIND_ORDER)}
_HEAT: dict[Severity, int] = {"critical": 50, "high": 10, "medium": 3, "low": 1, "info": 0}

AreaFinding = tuple[str, Finding]
"""A finding and the area whose reviewer saw it."""


def merge(findings: Iterable[AreaFinding]) -> tuple[MergedFinding, ...]:
    """Return the findings without duplicates, ranked; independent of the order they came in.

    Each given finding is one of the `sources` of exactly one returned finding.
    """
    groups: dict[FindingKey, set[tuple[int, str, str, str, str]]] = {}
    for area, found in findings:
        source = (_SEVERITY_RANK[found.severity], found.tool, found.rule, found.message, area)
        groups.setdefault(key_of(found), set()).add(source)
    merged = [_one(key, sorted(sources)) for key, sources in groups.items()]
    return tuple(sorted(merged, key=rank))


def rank(finding: MergedFinding) -> tuple[int, int, str, int, str]:
    """Return the sort key of importance: severity, weight of the kind, path, line."""
    return (
        _SEVERITY_RANK[finding.severity],
        _KIND_RANK[finding.kind],
        finding.path,
        finding.line,
        # Keeps findings on a whole file in one order.
        "\0".join([*finding.rules, finding.message]),
    )


def _one(key: FindingKey, sources: Sequence[tuple[int, str, str, str, str]]) -> MergedFinding:
    path, line, kind, _, _ = key
    return MergedFinding(
        path=path,
        line=line,
        severity=SEVERITIES[sources[0][0]],
        kind=kind,
        message=sources[0][3],
        rules=tuple(dict.fromkeys(rule for _, _, rule, _, _ in sources)),
        tools=tuple(dict.fromkeys(tool for _, tool, _, _, _ in sources)),
        areas=tuple(sorted({area for _, _, _, _, area in sources})),
        sources=tuple(
            Source(area=area, tool=tool, rule=rule, severity=SEVERITIES[severity], message=message)
            for severity, tool, rule, message, area in sources
        ),
    )


def tally(findings: Sequence[MergedFinding], *, reported: int, dropped: int) -> Counts:
    """Count merged findings by severity, area, tool, kind and rule."""
    severities = Counter(finding.severity for finding in findings)
    rules = Counter(pair for finding in findings for pair in {f"{s.tool}:{s.rule}" for s in finding.sources})
    return Counts(
        findings=len(findings),
        reported=reported,
        dropped=dropped,
        files=len({finding.path for finding in findings} - {WHOLE}),
        by_severity={severity: severities[severity] for severity in SEVERITIES},
        by_area=_sorted(Counter(area for finding in findings for area in finding.areas)),
        by_tool=_sorted(Counter(tool for finding in findings for tool in finding.tools)),
        by_kind=_sorted(Counter(finding.kind for finding in findings)),
        by_rule=dict(list(_sorted(rules).items())[:20]),
    )


def _sorted(counter: Counter[str] | Counter[Kind]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def hot_spots(findings: Sequence[MergedFinding]) -> tuple[HotSpot, ...]:
    """Return the files to open first: by the weight of their findings, then their number."""
    files: dict[str, Counter[Severity]] = {}
    for finding in findings:
        if finding.path == WHOLE:
            continue
        files.setdefault(finding.path, Counter())[finding.severity] += 1

    def order(item: tuple[str, Counter[Severity]]) -> tuple[int, int, str]:
        path, found = item
        heat = sum(_HEAT[severity] * number for severity, number in found.items())
        return -heat, -found.total(), path

    return tuple(
        HotSpot(path=path, findings=found.total(), by_severity={s: found[s] for s in SEVERITIES if found[s]})
        for path, found in sorted(files.items(), key=order)[:HOT_SPOTS]
    )
