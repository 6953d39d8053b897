"""Merging findings: none is lost, none is doubled, and the order is always the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.findings import SEVERITIES, Finding, Kind, Severity
from picoclaw.roles.synthesis.merge import KIND_ORDER, hot_spots, merge, rank, tally

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

AREAS = ["code", "security", "docs", "testing"]


def finding(
    path: str = "a.py",
    line: int = 1,
    *,
    rule: str = "R1",
    severity: Severity = "low",
    kind: Kind = "bug",
    message: str = "m",
    tool: str = "ruff",
) -> Finding:
    return Finding(path=path, line=line, rule=rule, severity=severity, kind=kind, message=message, tool=tool)


findings = st.builds(
    finding,
    st.sampled_from(["a.py", "./a.py", "b/c.py"]),
    st.integers(0, 3),
    rule=st.sampled_from(["R1", "R2", ""]),
    severity=st.sampled_from(SEVERITIES),
    kind=st.sampled_from(KIND_ORDER),
    message=st.sampled_from(["one", "two"]),
    tool=st.sampled_from(["ruff", "mypy", "bandit"]),
)
seen = st.lists(st.tuples(st.sampled_from(AREAS), findings), max_size=30)


@given(seen)
def test_every_finding_is_a_source_of_exactly_one_merged_finding(given: list[tuple[str, Finding]]) -> None:
    merged = merge(given)
    for area, one in given:
        homes = [
            m
            for m in merged
            if (m.path, m.line, m.kind) == (one.path.removeprefix("./"), one.line, one.kind)
            and any(
                (s.area, s.tool, s.rule, s.severity, s.message)
                == (area, one.tool, one.rule, one.severity, one.message)
                for s in m.sources
            )
        ]
        assert len(homes) == 1
        assert one.tool in homes[0].tools
        assert one.rule in homes[0].rules
        assert area in homes[0].areas
    distinct = {
        (f.path.removeprefix("./"), f.line, f.kind, f.tool, f.rule, f.severity, f.message, area)
        for area, f in given
    }
    assert sum(len(m.sources) for m in merged) == len(distinct), "nothing was invented"


@given(seen)
def test_a_merged_finding_has_the_worst_severity_of_its_sources(given: list[tuple[str, Finding]]) -> None:
    for one in merge(given):
        worst = min((s.severity for s in one.sources), key=SEVERITIES.index)
        assert one.severity == worst == one.sources[0].severity
        assert one.message == one.sources[0].message


@given(seen)
def test_no_two_merged_findings_share_file_line_and_kind(given: list[tuple[str, Finding]]) -> None:
    places = [(m.path, m.line, m.kind) for m in merge(given) if m.line]
    assert len(places) == len(set(places))


@given(seen, st.data())
def test_the_order_of_the_input_does_not_matter(
    given: list[tuple[str, Finding]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(given))
    assert merge(shuffled) == merge(given) == merge([*given, *shuffled])


@given(seen)
def test_the_result_is_ranked_and_the_counts_add_up(given: list[tuple[str, Finding]]) -> None:
    merged = merge(given)
    assert list(merged) == sorted(merged, key=rank)
    counts = tally(merged, reported=len(given), dropped=3)
    assert counts.findings == len(merged) <= counts.reported
    assert sum(counts.by_severity.values()) == sum(counts.by_kind.values()) == len(merged)
    assert list(counts.by_severity) == list(SEVERITIES)
    assert set(counts.by_tool) == {one.tool for _, one in given}
    assert set(counts.by_area) == {area for area, _ in given}
    assert counts.files == len({m.path for m in merged})
    spots = hot_spots(merged)
    assert sum(spot.findings for spot in spots) == len(merged)
    assert all(sum(spot.by_severity.values()) == spot.findings for spot in spots)


def test_two_tools_that_see_the_same_thing_become_one_finding_that_names_both() -> None:
    (one,) = merge(
        [
            (
                "code",
                finding(tool="ruff", rule="S105", severity="medium", kind="secret", message="hard-coded"),
            ),
            (
                "security",
                finding(tool="bandit", rule="B105", severity="high", kind="secret", message="password"),
            ),
        ]
    )
    assert (one.severity, one.message) == ("high", "password")
    assert (one.tools, one.rules) == (("bandit", "ruff"), ("B105", "S105"))
    assert one.areas == ("code", "security")


def test_another_kind_or_another_line_is_another_finding() -> None:
    given = [finding(), finding(kind="style"), finding(line=2), finding("b.py")]
    assert len(merge(("code", f) for f in given)) == 4


def test_two_findings_on_a_whole_file_are_two_unless_they_say_the_same() -> None:
    given = [
        finding(line=0, message="too long"),
        finding(line=0, message="no tests"),
        finding(line=0, message="no tests"),
    ]
    assert len(merge(("code", f) for f in given)) == 2


def test_severity_goes_before_kind_and_kind_before_path() -> None:
    given = [
        finding("a.py", severity="high", kind="format"),
        finding("z.py", severity="high", kind="secret"),
        finding("y.py", severity="critical", kind="format"),
        finding("b.py", 9, severity="high", kind="secret"),
        finding("b.py", 2, severity="high", kind="secret"),
    ]
    assert [(m.path, m.line) for m in merge(("code", f) for f in given)] == [
        ("y.py", 1),
        ("b.py", 2),
        ("b.py", 9),
        ("z.py", 1),
        ("a.py", 1),
    ]


def test_every_kind_has_a_weight() -> None:
    from typing import get_args

    assert set(KIND_ORDER) == set(get_args(Kind))


def test_a_file_with_one_grave_finding_is_hotter_than_one_with_many_small_ones() -> None:
    given = [finding("small.py", line, kind="style") for line in range(1, 9)]
    given.append(finding("grave.py", severity="high", kind="secret"))
    assert [spot.path for spot in hot_spots(merge(("code", f) for f in given))] == ["grave.py", "small.py"]
