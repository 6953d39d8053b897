"""The report of a code review: what it says, what it admits, and what a hostile repository cannot do to it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from picoclaw.capabilities.findings import SEVERITIES, Finding, Review, Severity, ToolRun
from picoclaw.roles.synthesis.join import join
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.roles.synthesis.report import Report
from picoclaw.roles.synthesis.review_markdown import SHOWN_FINDINGS, SHOWN_PER_RULE
from picoclaw.roles.synthesis.verdict import fails, worst
from picoclaw.swarm.records import ArtifactRef, Plan, RepositoryRef, Request, Result, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

AREAS = ("code", "security", "docs", "testing")
PLAN = Plan(tasks=tuple(Task(step=area, demand=area) for area in AREAS), join="code-review")


def request(label: str = "demo") -> Request:
    return Request(
        id="r-1", key_digest="0", text="Review this", repository=RepositoryRef(label=label, commit="0a1b2c3d")
    )


def finding(
    path: str = "app/main.py", line: int = 7, *, rule: str = "E1", severity: Severity = "medium",
    kind: str = "bug", message: str = "something", tool: str = "ruff",
) -> Finding:  # fmt: skip
    return Finding.model_validate(
        {
            "path": path,
            "line": line,
            "rule": rule,
            "severity": severity,
            "kind": kind,
            "message": message,
            "tool": tool,
        }
    )


def ran(tool: str, status: str = "ok", detail: str = "") -> ToolRun:
    return ToolRun.model_validate({"tool": tool, "status": status, "detail": detail})


def reviewed(
    area: str, *findings: Finding, tools: tuple[ToolRun, ...] | None = None, **more: object
) -> Outcome:
    review = {
        "area": area,
        "findings": findings,
        "tools": (ran("ruff"),) if tools is None else tools,
        **more,
    }
    data = Review.model_validate(review).model_dump(mode="json")
    return Outcome(
        step=area, title=area, demand=area, state="done", result=Result(data=data),
        node=f"claw-{area}", attempts=1, seconds=1.25,
    )  # fmt: skip


def ended(area: str, state: str, reason: str, attempts: int = 0) -> Outcome:
    return Outcome(step=area, demand=area, state=state, reason=reason, attempts=attempts)  # type: ignore[arg-type]


def report(*outcomes: Outcome, label: str = "demo") -> Report:
    """Join these; areas without an outcome were reviewed and clean."""
    given = {outcome.step: outcome for outcome in outcomes}
    return join(PLAN, request(label), [given.get(area) or reviewed(area) for area in AREAS])


def data_of(made: Report) -> dict[str, object]:
    assert isinstance(made.data, dict)
    return dict(made.data)


def test_the_whole_report_reads_like_this() -> None:
    made = report(
        reviewed(
            "code",
            finding(line=3, rule="F821", severity="high", message="Undefined name `config`"),
            finding(line=9, rule="F401", kind="dead-code", message="`os` imported but unused"),
            finding(line=20, rule="S105", kind="secret", message="Possible hard-coded password"),
            tools=(ran("ruff"), ran("mypy", "timed out", "after 120 s")),
            languages={"python": 12, "rust": 1},
            looked_at=("python",),
        ),
        reviewed(
            "security",
            finding(
                line=20,
                rule="B105",
                severity="high",
                kind="secret",
                message="Possible password",
                tool="bandit",
            ),
            tools=(ran("bandit"), ran("detect-secrets", "not installed")),
            looked_at=("python",),
        ),
        reviewed(
            "docs",
            finding(
                "README.md",
                4,
                rule="teh",
                severity="low",
                kind="spelling",
                message="teh ==> the",
                tool="codespell",
            ),
            tools=(ran("interrogate"), ran("codespell")),
            facts={"docstring coverage in %": 83.33, "public objects": 1204},
            notes=("link to ../secret was not followed",),
        ),
        ended("testing", "cancelled", "skipped: no node offers testing"),
    )
    assert (
        made.markdown
        == """\
# Code review: demo

Commit `0a1b2c3d`

**4 findings in 2 files: 2 high, 1 medium, 1 low; not reviewed: testing, rust.**

| area     | node          | findings                | seconds |
| -------- | ------------- | ----------------------- | ------: |
| code     | claw-code     | 3, 1 tool could not run |     1.2 |
| security | claw-security | 1, 1 tool could not run |     1.2 |
| docs     | claw-docs     | 1                       |     1.2 |
| testing  | –             | **not reviewed**        |       – |

Tools:

- code: ruff, mypy (timed out)
- security: bandit, detect-secrets (not installed)
- docs: interrogate, codespell

5 findings reported; 1 duplicate (same file, line and kind) merged, which leaves 4.

## Findings

### High (2)

- `app/main.py:20`  `B105`, `S105`  Possible password (bandit, ruff)
- `app/main.py:3`  `F821`  Undefined name `config` (ruff)

### Medium (1)

- `app/main.py:9`  `F401`  `os` imported but unused (ruff)

### Low (1)

- `README.md:4`  `teh`  teh ==> the (codespell)

## Where to start

- `app/main.py`: 3 findings (2 high, 1 medium)
- `README.md`: 1 finding (1 low)

## Facts

- docs: docstring coverage 83.3 %; public objects 1,204

## What was not reviewed

- testing: not reviewed, no node offers it
- rust (1 file): not reviewed, no tool here reads it
- code: mypy timed out (after 120 s)
- security: detect-secrets is not installed
- docs: link to ../secret was not followed
"""
    )
    assert made.partial
    assert made.summary == "4 findings in 2 files: 2 high, 1 medium, 1 low; not reviewed: testing, rust"


def test_the_json_has_a_stable_form() -> None:
    made = report(reviewed("code", finding(), finding(tool="mypy", rule="name-defined")))
    data = data_of(made)
    assert (data["schema"], data["version"]) == ("picoclaw.code-review", 1)
    assert list(data) == [
        "schema", "version", "repository", "change", "summary", "complete", "worst", "counts", "areas", "findings",
        "files", "languages", "not_looked_at", "missing", "notes", "model",
    ]  # fmt: skip
    assert data["repository"] == {"label": "demo", "url": None, "commit": "0a1b2c3d"}
    assert data["findings"] == [
        {
            "path": "app/main.py",
            "line": 7,
            "severity": "medium",
            "kind": "bug",
            "message": "something",
            "rules": ["name-defined", "E1"],
            "tools": ["mypy", "ruff"],
            "areas": ["code"],
            "sources": [
                {
                    "area": "code",
                    "tool": "mypy",
                    "rule": "name-defined",
                    "severity": "medium",
                    "message": "something",
                },
                {"area": "code", "tool": "ruff", "rule": "E1", "severity": "medium", "message": "something"},
            ],
        }
    ]
    assert data["counts"] == {
        "findings": 1,
        "reported": 2,
        "dropped": 0,
        "files": 1,
        "by_severity": {"critical": 0, "high": 0, "medium": 1, "low": 0, "info": 0},
        "by_area": {"code": 1},
        "by_tool": {"mypy": 1, "ruff": 1},
        "by_kind": {"bug": 1},
        "by_rule": {"mypy:name-defined": 1, "ruff:E1": 1},
    }
    assert Report.from_bytes(made.to_bytes()).data == json.loads(json.dumps(made.data)) == made.data


def test_a_clean_review_says_no_findings_and_is_complete() -> None:
    made = report()
    assert "**No findings.**" in made.markdown
    assert made.markdown.count("| no findings |") == 4
    assert "not reviewed" not in made.markdown
    assert (made.partial, made.summary) == (False, "no findings")


def test_an_area_whose_tools_all_failed_is_not_an_area_without_findings() -> None:
    made = report(
        reviewed(
            "security", tools=(ran("bandit", "failed", "exit 2"), ran("detect-secrets", "not installed"))
        )
    )
    assert "security: not reviewed, none of its tools could run" in made.markdown
    assert "security: bandit failed (exit 2)" in made.markdown
    assert "| **not reviewed** |" in made.markdown
    assert made.summary == "no findings; not reviewed: security"
    assert made.partial


def test_an_area_of_which_one_tool_failed_says_so_beside_its_silence() -> None:
    made = report(reviewed("code", tools=(ran("ruff"), ran("mypy", "failed", "exit 2"))))
    assert "| no findings, 1 tool could not run |" in made.markdown
    assert made.partial


def test_a_tool_that_is_not_installed_beside_one_that_ran_is_named_but_the_report_is_whole() -> None:
    made = report(reviewed("code", tools=(ran("ruff"), ran("mypy", "not installed"))))
    assert "- code: mypy is not installed" in made.markdown
    assert not made.partial


GO_VET = ToolRun(tool="go vet", status="not installed", detail="go is not on the PATH", languages=("go",))
CLIPPY = ToolRun(
    tool="clippy", status="not asked", detail="it would run the build script of x", languages=("rust",)
)


def test_a_language_whose_tool_is_not_on_a_node_is_named_once_and_accuses_nobody() -> None:
    made = report(
        reviewed("code", tools=(ran("ruff"), GO_VET, CLIPPY), languages={"python": 9, "go": 3, "rust": 1},
                 looked_at=("python",)),
        reviewed("security", languages={"python": 9, "go": 3, "rust": 1}, looked_at=("python",)),
    )  # fmt: skip
    assert "- go (3 files): not reviewed, go is not on the PATH of claw-code\n" in made.markdown
    assert (
        "- rust (1 file): not reviewed, clippy not run: it would run the build script of x\n" in made.markdown
    )
    assert made.markdown.count("go is not on the PATH") == 1
    assert "could not run" not in made.markdown
    assert not made.partial


def test_a_repository_that_nothing_could_read_was_not_reviewed_and_says_why() -> None:
    made = report(reviewed("code", tools=(ran("ruff", "nothing to do"), GO_VET), languages={"go": 3}))
    assert "- code: not reviewed, go is not on the PATH of claw-code\n" in made.markdown
    assert made.partial


def test_an_area_where_no_tool_ran_at_all_is_not_reviewed() -> None:
    made = report(reviewed("code", tools=()))
    assert "code: not reviewed, no tool ran" in made.markdown
    assert made.partial


def test_an_area_with_nothing_to_do_is_reviewed() -> None:
    made = report(reviewed("testing", tools=(ran("coverage", "nothing to do"),), languages={"json": 1}))
    assert "| nothing to do |" in made.markdown
    assert "not reviewed" not in made.markdown
    assert not made.partial


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (
            ended("security", "cancelled", "skipped: no node offers security"),
            "security: not reviewed, no node offers it",
        ),
        (ended("security", "cancelled", "skipped"), "security: not reviewed, no node offers it"),
        (
            ended("security", "failed", "unroutable: no live node"),
            "security: not reviewed, no node offers it",
        ),
        (
            ended("security", "cancelled", "person: skipped it"),
            "security: not reviewed, cancelled: person: skipped it",
        ),
        (ended("security", "failed", "deadline"), "security: not reviewed, failed: deadline"),
        (
            ended("security", "dead", "node offline", 3),
            "security: not reviewed, given up after 3 attempts: node offline",
        ),
        (ended("security", "queued", ""), "security: not reviewed, still queued"),
        (ended("security", "done", ""), "security: not reviewed, its result cannot be read"),
    ],
)
def test_an_area_that_is_missing_is_named_with_its_reason(outcome: Outcome, line: str) -> None:
    made = report(outcome)
    assert line in data_of(made)["missing"]  # type: ignore[operator]
    assert f"- {line}" in made.markdown
    assert "not reviewed: security" in made.summary
    assert made.partial


@pytest.mark.parametrize(
    "data", [None, 7, "text", [], {"area": "nonsense"}, {"area": "code", "findings": [{}]}]
)
def test_a_result_that_is_no_review_is_missing_not_empty(data: object) -> None:
    outcome = Outcome(step="code", state="done", result=Result.model_validate({"data": data}), node="claw-1")
    made = report(outcome)
    assert "code: not reviewed, the result is not a review" in made.markdown
    assert made.partial


def test_a_review_of_a_later_version_is_missing_not_misread() -> None:
    outcome = Outcome(step="code", state="done", result=Result(data={"v": 2, "area": "code"}))
    assert "code: not reviewed, the result has version 2, upgrade the coordinator" in report(outcome).markdown


def test_a_result_that_was_not_fetched_is_missing() -> None:
    ref = ArtifactRef(name="a", size=1, digest="0")
    made = report(Outcome(step="code", state="done", result=Result(ref=ref)))
    assert "code: not reviewed, its result cannot be read" in made.markdown


def test_a_task_of_the_plan_without_an_outcome_is_missing() -> None:
    made = join(PLAN, request(), [reviewed(area) for area in AREAS[1:]])
    assert "code: not reviewed, still planned: never run" in made.markdown


def test_when_nobody_reviewed_anything_the_verdict_says_that() -> None:
    made = report(*(ended(area, "cancelled", "skipped") for area in AREAS))
    assert "**Nothing was reviewed.**" in made.markdown
    assert made.summary == "nothing was reviewed"


def test_dropped_findings_are_named_and_counted() -> None:
    made = report(reviewed("docs", finding(), dropped=312))
    assert "docs: 312 more findings beyond the reviewer's limit, counted but not listed" in made.markdown
    assert "| 1 and 312 not listed |" in made.markdown
    assert data_of(made)["counts"]["dropped"] == 312  # type: ignore[index]


def test_languages_that_nobody_read_or_only_a_side_area_are_named_once_for_all_areas() -> None:
    languages = {"python": 3, "shell": 2, "rust": 1, "json": 7}
    note = ("rust (1 file): not reviewed, this version has no analyzer for it",)
    made = report(
        *(
            reviewed(area, languages=languages, looked_at=("python",), notes=note)
            for area in ("code", "security", "testing")
        ),
        reviewed("docs", languages=languages, looked_at=("python", "shell"), notes=note),
    )
    assert made.markdown.split("## What was not reviewed\n\n")[1].splitlines() == [
        "- rust (1 file): not reviewed, no tool here reads it",
        "- shell (2 files): read by docs only, neither code nor security",
    ]
    assert made.summary == "no findings; not reviewed: rust"
    assert data_of(made)["not_looked_at"] == ["rust"]


def test_an_area_none_of_whose_tools_reads_the_language_is_not_an_area_without_findings() -> None:
    idle = (ran("ruff", "nothing to do"), ran("mypy", "nothing to do"))
    made = report(reviewed("code", tools=idle, languages={"rust": 3, "go": 2, "json": 9}))
    assert "- code: not reviewed, no tool here reads rust, go" in made.markdown
    assert "| **not reviewed** |" in made.markdown
    assert made.partial


def test_a_tool_that_was_not_asked_for_is_named_and_nothing_is_partial() -> None:
    made = report(
        reviewed("testing", tools=(ran("test facts"), ran("the tests", "not asked", "no foreign code")))
    )
    assert "- testing: the tests not asked for (no foreign code)" in made.markdown
    assert "- testing: test facts\n" in made.markdown
    assert not made.partial


def test_one_task_may_review_several_areas() -> None:
    outcomes = [reviewed("code", finding()), reviewed("security", finding(kind="secret"))]
    bodies = [outcome.result.data for outcome in outcomes if outcome.result]
    both = Outcome(step="all", state="done", result=Result(data=bodies), node="claw-1", seconds=2)
    made = join(
        Plan(tasks=(Task(step="all", demand="code+security"),), join="code-review"), request(), [both]
    )
    assert "| code " in made.markdown
    assert "| security " in made.markdown
    assert made.summary == "2 findings in 1 file: 2 medium"


def test_a_finding_on_the_whole_repository_is_no_file() -> None:
    made = report(reviewed("testing", finding(".", 0, rule="no-tests", kind="test", message="no test found")))
    assert "- the repository  `no-tests`  no test found (ruff)" in made.markdown
    assert made.summary == "1 finding: 1 medium"
    assert data_of(made)["files"] == []


def test_what_every_area_noted_is_said_once() -> None:
    made = report(*(reviewed(area, notes=("binary, not read: a.py",)) for area in AREAS))
    assert data_of(made)["notes"] == ["binary, not read: a.py"]
    assert made.markdown.count("binary, not read") == 1


def test_a_rule_that_repeats_itself_does_not_crowd_out_the_others() -> None:
    many = [finding(line=line, rule="E501") for line in range(1, 101)]
    made = report(reviewed("code", *many, finding(line=500, rule="RARE")))
    assert made.markdown.count("`E501`  ") == SHOWN_PER_RULE
    assert "`RARE`" in made.markdown
    assert f"- … and {100 - SHOWN_PER_RULE} more of `E501`" in made.markdown
    assert f"### Medium ({SHOWN_PER_RULE + 1} of 101)" in made.markdown
    assert f"… and {100 - SHOWN_PER_RULE} more in the JSON." in made.markdown


def test_markdown_lists_so_many_findings_and_the_json_all() -> None:
    many = [finding(line=n, rule=f"R{n}") for n in range(1, SHOWN_FINDINGS + 313)]
    made = report(reviewed("code", *many))
    assert made.markdown.count("\n- `app/main.py:") == SHOWN_FINDINGS
    assert "… and 312 more in the JSON." in made.markdown
    assert len(data_of(made)["findings"]) == SHOWN_FINDINGS + 312  # type: ignore[arg-type]


def test_two_things_that_one_tool_says_of_a_line_are_both_hinted_at() -> None:
    made = report(reviewed("code", finding(message="one"), finding(message="two")))
    assert "one (+1 more on this line) (ruff)" in made.markdown


hostile = st.text(
    st.one_of(st.sampled_from("\\`*_|$<>&[](){}!#+-=.:/@ \n\r\x1b\x9b\u202e1a"), st.characters()), max_size=30
)


@given(hostile)
def test_a_hostile_repository_breaks_no_table_and_smuggles_no_escape(text: str) -> None:
    nasty = finding("x" + text, 3, rule=text, message=text, tool=text)
    made = report(
        reviewed(
            "code", nasty, tools=(ran("ruff"), ran(text, "failed", text)), facts={text: text, "k": {text: 1}},
            notes=(text,), languages={text: 3},
        ),
        Outcome(step="docs", state="failed", reason=text, node=text),
        label=text,
    )  # fmt: skip
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [c for c in made.markdown.replace("\n", "") + made.summary if unicodedata.category(c) in bad]
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(made.markdown)
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") == 1
    assert kinds.count("tr_open") == 5
    assert kinds.count("td_open") == 16
    assert [t.markup for t in tokens if t.type == "heading_open"] == ["#", "##", "###", "##", "##"]
    inside = {child.type for token in tokens for child in token.children or []}
    assert inside <= {"text", "code_inline", "strong_open", "strong_close"}
    assert not {"html_block", "fence", "code_block", "blockquote_open", "hr"} & set(kinds)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_it_fails_on_its_worst_severity_and_on_any_less_severe(severity: Severity) -> None:
    made = report(reviewed("code", finding(severity=severity), finding(line=9, severity="info")))
    assert worst(made.data) == severity
    at = SEVERITIES.index(severity)
    assert [fails(made.data, limit) for limit in SEVERITIES] == [i >= at for i in range(len(SEVERITIES))]


def test_no_findings_fail_nothing() -> None:
    assert worst(report().data) is None
    assert not fails(report().data, "info")


@pytest.mark.parametrize(
    "data",
    [None, 3, [], {}, {"schema": "picoclaw.plain", "findings": [{"severity": "high"}]},
     {"schema": "picoclaw.code-review", "findings": 3}, {"schema": "picoclaw.code-review", "findings": [3, {}]}],
)  # fmt: skip
def test_what_is_no_code_review_has_no_severity(data: object) -> None:
    assert worst(data) is None  # type: ignore[arg-type]


def test_the_report_is_the_same_whatever_the_order_of_outcomes() -> None:
    outcomes = [
        reviewed("code", finding()),
        reviewed("docs", finding("z.py")),
        ended("testing", "dead", "x", 3),
    ]
    assert join(PLAN, request(), outcomes) == join(PLAN, request(), outcomes[::-1])


def test_a_single_review_without_a_template_reads_as_one() -> None:
    alone = Plan(tasks=(Task(step="task", demand="docs"),))
    review = Review(area="docs", tools=(ToolRun(tool="codespell", status="ok"),))
    outcome = Outcome(step="task", state="done", result=Result(data=review.model_dump(mode="json")))
    report = join(alone, request(), [outcome])
    assert isinstance(report.data, dict)
    assert report.data["schema"] == "picoclaw.code-review"
    other = Outcome(step="task", state="done", result=Result(data={"free": "text"}))
    plain = join(alone, request(), [other])
    assert isinstance(plain.data, dict)
    assert plain.data["schema"] == "picoclaw.plain"


def test_the_table_and_the_tools_keep_to_80_columns() -> None:
    names = ["ruff", "ruff format", "mypy", "radon", "vulture", "eslint", "clippy", "go vet", "shellcheck"]
    tools = tuple(ran(name, "not installed") for name in names)
    made = report(reviewed("code", finding(), tools=(ran("bandit"), *tools)))
    table = made.markdown.partition("## Findings")[0]
    assert all(f"{name} (not installed)" in table for name in names)
    assert max(map(len, table.splitlines())) <= 80
