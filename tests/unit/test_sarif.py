"""SARIF: valid against the standard's schema, and within what code scanning services take."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.findings import SEVERITIES, Finding, Review, ToolRun
from picoclaw.errors import UsageError
from picoclaw.roles.synthesis.join import join
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.roles.synthesis.sarif import LEVELS, MAX_RUNS, nothing_changed, to_sarif
from picoclaw.swarm.records import Plan, RepositoryRef, Request, Result, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

SCHEMA = json.loads((Path(__file__).parent.parent / "support" / "sarif-schema-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def finding(**more: object) -> Finding:
    base = {
        "path": "a.py",
        "line": 3,
        "rule": "E1",
        "severity": "medium",
        "kind": "bug",
        "message": "m",
        "tool": "ruff",
    }
    return Finding.model_validate({**base, **more})


def report(
    *findings: Finding, tools: tuple[ToolRun, ...] | None = None, input: dict[str, Any] | None = None
) -> dict[str, Any]:
    names = sorted({f.tool for f in findings})
    runs = (
        tools
        if tools is not None
        else tuple(ToolRun(tool=name, status="ok", version="1.2") for name in names)
    )
    review = Review(area="code", findings=findings, tools=runs, languages={"python": 1}, looked_at=("python",),
                    left_out=7 if input else None)  # fmt: skip
    done = Outcome(
        step="code", demand="code", state="done", node="n", result=Result(data=review.model_dump(mode="json"))
    )
    plan = Plan(tasks=(Task(step="code", demand="code"),), join="code-review")
    repository = RepositoryRef(label="r", url="https://example.org/r.git", commit="ab" * 20)
    request = Request(id="r-1", key_digest="0", text="Review", repository=repository, input=input or {})
    data = join(plan, request, [done]).data
    assert isinstance(data, dict)
    return data


def made(*findings: Finding, **more: Any) -> dict[str, Any]:
    log = to_sarif(report(*findings, **more), "0.1")
    VALIDATOR.validate(log)
    return log


def run_of(log: dict[str, Any], tool: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [run for run in log["runs"] if run["tool"]["driver"]["name"] == tool]
    return found


def test_one_run_for_each_tool_with_its_rules_and_results() -> None:
    log = made(
        finding(severity="high"),
        finding(line=9, rule="E2"),
        finding(tool="bandit", rule="B1", kind="vulnerability", severity="critical", path="sub dir/ü#.py"),
    )
    ruff, bandit = run_of(log, "ruff"), run_of(log, "bandit")
    assert [rule["id"] for rule in ruff["tool"]["driver"]["rules"]] == ["E1", "E2"]
    assert ruff["tool"]["driver"]["version"] == "1.2"
    result = ruff["results"][0]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("E1", 0, "error")
    assert result["message"]["text"] == "m"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a.py", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 3},
    }
    assert "SRCROOT" in ruff["originalUriBaseIds"]
    assert ruff["columnKind"] in ("unicodeCodePoints", "utf16CodeUnits")
    assert ruff["versionControlProvenance"][0]["revisionId"] == "ab" * 20
    place = bandit["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "sub%20dir/%C3%BC%23.py"
    rule = bandit["tool"]["driver"]["rules"][0]
    assert float(rule["properties"]["security-severity"]) >= 9
    assert "security" in rule["properties"]["tags"]
    assert len({run["automationDetails"]["id"] for run in log["runs"]}) == len(log["runs"])


def test_what_github_asks_of_rules_and_results() -> None:
    log = made(*(finding(severity=severity, rule=severity, line=0) for severity in SEVERITIES))
    run = run_of(log, "ruff")
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["properties"]["problem.severity"] in ("error", "warning", "recommendation")
    for result in run["results"]:
        assert result["level"] == LEVELS[result["ruleId"]]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_two_tools_on_one_place_each_have_their_say_and_two_areas_of_one_tool_one() -> None:
    log = made(finding(), finding(tool="mypy", rule="M"), finding())
    assert [len(run_of(log, tool)["results"]) for tool in ("ruff", "mypy")] == [1, 1]


def test_a_fingerprint_stays_when_the_line_moves_and_differs_between_two_of_a_kind() -> None:
    def prints(*findings: Finding) -> list[str]:
        results = run_of(made(*findings), "ruff")["results"]
        return [result["partialFingerprints"]["picoclawFinding/v1"] for result in results]

    first, second = prints(
        finding(line=3, message="line 3 is long"), finding(line=8, message="line 8 is long")
    )
    assert first != second
    assert prints(finding(line=5, message="line 5 is long")) == [first]
    assert prints(finding(path="b.py", message="line 3 is long")) != [first]


def test_a_tool_that_failed_is_no_clean_run() -> None:
    tools = (
        ToolRun(tool="ruff", status="ok"),
        ToolRun(tool="mypy", status="failed", detail="it fell over"),
        ToolRun(tool="radon", status="nothing to do"),
    )
    log = made(tools=tools)
    assert run_of(log, "ruff")["invocations"][0]["executionSuccessful"] is True
    assert run_of(log, "ruff")["results"] == [], "so that a service closes what is mended"
    invocation = run_of(log, "mypy")["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "it fell over" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    own = run_of(log, "picoclaw")["invocations"][0]
    assert own["executionSuccessful"] is False
    assert any("mypy failed" in note["message"]["text"] for note in own["toolExecutionNotifications"])
    assert not [run for run in log["runs"] if run["tool"]["driver"]["name"] == "radon"]


def test_what_has_no_place_in_a_file_is_a_notification() -> None:
    log = made(finding(path=".", line=0, tool="doc facts", rule="no-readme", message="there is no README"))
    own = run_of(log, "picoclaw")
    assert own["results"] == []
    assert "no README" in json.dumps(own["invocations"])


def test_the_change_that_was_reviewed_is_named() -> None:
    change = {
        "base": "main",
        "commit": "c" * 40,
        "head": "working tree",
        "files": {"a.py": {"spans": [[3, 4]]}},
    }
    log = made(finding(), input={"change": change})
    notes = json.dumps(run_of(log, "picoclaw")["invocations"])
    assert "change main..working tree: 1 files, 2 lines; 7 findings elsewhere were left out" in notes


def test_more_tools_than_a_service_takes_runs_share_the_last() -> None:
    log = made(*(finding(tool=f"tool {number:02}", line=number) for number in range(1, 40)))
    assert len(log["runs"]) == MAX_RUNS
    assert sum(len(run["results"]) for run in log["runs"]) == 39


def test_nothing_changed_is_valid_and_empty() -> None:
    log = nothing_changed("0.1")
    VALIDATOR.validate(log)
    assert [run["results"] for run in log["runs"]] == [[]]


@pytest.mark.parametrize(
    "data", [None, [], {"schema": "picoclaw.plain"}, {"schema": "picoclaw.code-review", "v": 1}]
)
def test_what_is_no_code_review_is_refused_in_words(data: Any) -> None:
    with pytest.raises(UsageError, match="--sarif"):
        to_sarif(data, "0.1")


def test_a_message_is_no_link_and_one_line() -> None:
    log = made(finding(message="see [this](https://evil.example)\nand more\x1b[31m"))
    text = run_of(log, "ruff")["results"][0]["message"]["text"]
    assert text == "see [this] (https://evil.example) and more�[31m"


@given(st.lists(st.builds(
    finding,
    path=st.text(min_size=1, max_size=20), rule=st.text(max_size=20), message=st.text(max_size=60),
    tool=st.text(min_size=1, max_size=12), line=st.integers(0, 10**6), severity=st.sampled_from(SEVERITIES),
    kind=st.sampled_from(["bug", "secret", "style"]),
), max_size=8))  # fmt: skip
def test_whatever_a_stranger_wrote_it_is_valid(findings: list[Finding]) -> None:
    log = made(*findings)
    assert len(log["runs"]) <= MAX_RUNS
    for run in log["runs"]:
        for result in run["results"]:
            assert re.search(r"\]\(", result["message"]["text"]) is None
            assert "\n" not in result["message"]["text"]
