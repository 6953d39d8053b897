"""The joins of users' workflows: a table of results, and the result of one step as the report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from picoclaw.errors import PlanError
from picoclaw.roles.synthesis.join import join
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.roles.synthesis.report import Report
from picoclaw.swarm.records import Plan, Request, Result, State, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

REQUEST = Request(id="r", key_digest="0", text="Count\nthem")


def outcome(
    step: str,
    data: JsonValue = None,
    *,
    state: State = "done",
    reason: str = "",
    summary: str = "",
    title: str = "",
) -> Outcome:
    result = Result(data=data, summary=summary) if state == "done" else None
    return Outcome(
        step=step, title=title or step, state=state, reason=reason, result=result, node="left", seconds=1.25
    )


def joined(
    outcomes: list[Outcome], options: JsonValue = None, *, how: str = "table", fail: bool = False
) -> tuple[Report, dict[str, JsonValue]]:
    plan = Plan(
        tasks=tuple(Task(step=one.step, demand="code") for one in outcomes),
        join=how,
        join_options=options,
        partial="fail" if fail else None,
    )
    report = join(plan, REQUEST, outcomes)
    assert isinstance(report.data, dict)
    return report, report.data


def test_a_row_for_each_task_with_totals_in_the_order_of_the_plan() -> None:
    report, data = joined(
        [outcome("a-1", {"n": 1, "who": {"name": "x"}}), outcome("a-2", {"n": 1234, "who": {}})],
        {
            "title": "Figures",
            "columns": {"task": "step", "n": "data.n", "who": "data.who.name"},
            "totals": ["n"],
        },
    )
    assert report.markdown == (
        "# Figures\n\n2 rows from 2 of 2 tasks: 1,235 n.\n\n"
        "| task      |         n | who |\n| --------- | --------: | --- |\n"
        "| a-1       |         1 | x   |\n| a-2       |     1,234 |     |\n"
        "| **total** | **1,235** |     |\n"
    )
    assert data["rows"] == [{"task": "a-1", "n": 1, "who": "x"}, {"task": "a-2", "n": 1234, "who": None}]
    assert data["totals"] == {"n": 1235}
    assert (report.partial, report.failed, data["complete"]) == (False, "", True)


def test_what_is_missing_is_named_with_its_reason_and_has_no_row() -> None:
    report, data = joined(
        [
            outcome("a-1", {"n": 1}),
            outcome("a-2", state="failed", reason="error: exit code 3", title="beta"),
            outcome("a-3", state="dead", reason="it died"),
        ],
        {"columns": {"n": "data.n"}},
    )
    assert report.partial
    assert report.failed == ""
    assert (
        "## Missing\n\n- a-2 (beta): failed: error: exit code 3\n- a-3: given up after 0 attempts: it died"
        in report.markdown
    )
    assert data["missing"] == [
        "a-2 (beta): failed: error: exit code 3",
        "a-3: given up after 0 attempts: it died",
    ]
    assert data["rows"] == [{"n": 1}]
    assert report.summary.startswith("1 row from 1 of 3 tasks; missing: a-2 (beta): failed")


def test_a_workflow_that_wants_all_of_it_has_failed_when_a_part_is_missing() -> None:
    report, _ = joined([outcome("a", 1), outcome("b", state="failed", reason="x")], fail=True)
    assert report.failed == report.summary
    whole, _ = joined([outcome("a", 1)], fail=True)
    assert whole.failed == ""


@pytest.mark.parametrize(
    ("values", "failed"),
    [
        ([0, 0], ""),
        ([0, 2], "2 failed"),
        ([1, -1], "0 failed"),
        ([0, None], "failed of a-2 is no number"),
        ([0, "0"], "failed of a-2 is no number"),
        ([False, True], "1 failed"),
    ],
)
def test_a_column_that_must_add_up_to_nothing_decides_whether_it_failed(
    values: list[JsonValue], failed: str
) -> None:
    outcomes = [outcome(f"a-{i}", {"failed": value}) for i, value in enumerate(values, 1)]
    report, data = joined(outcomes, {"columns": {"failed": "data.failed"}, "fail_on": ["failed"]})
    assert report.failed == data["failed"] == failed
    assert ("**Failed: " in report.markdown) is bool(failed)


def test_a_row_for_each_entry_of_a_list_in_the_results_of_some_steps() -> None:
    report, data = joined(
        [
            outcome("scan-1", {"files": [{"p": "a"}, {"p": "b"}]}),
            outcome("scan-2", {"files": 7}),
            outcome("tell", {"files": [1]}),
        ],
        {"rows": "data.files", "columns": {"file": "row.p", "of": "title"}, "steps": ["scan"]},
    )
    assert data["rows"] == [{"file": "a", "of": "scan-1"}, {"file": "b", "of": "scan-1"}]
    assert "2 rows from 3 of 3 tasks" in report.markdown
    assert data["missing"] == ["scan-2: its result has no list at data.files"]
    assert report.partial


def test_a_result_without_the_list_does_not_pass_for_one_without_entries() -> None:
    options: JsonValue = {"rows": "data.cases", "columns": {"failed": "row.failed"}, "fail_on": ["failed"]}
    report, _ = joined([outcome("a", {"cases": [{"failed": 0}]}), outcome("b", {})], options, fail=True)
    assert report.failed
    report, _ = joined([outcome("a", {"cases": [{"failed": 0}]}), outcome("b", {"cases": []})], options)
    assert (report.failed, report.partial) == ("", False)


def test_rows_beyond_the_limit_are_not_left_out_in_silence() -> None:
    data: JsonValue = {"all": [1] * 150_000}
    options: JsonValue = {"rows": "data.all", "columns": {"n": "row"}, "totals": ["n"]}
    report, found = joined([outcome("a", data), outcome("b", data), outcome("c", data)], options)
    assert found["totals"] == {"n": 200_000}
    assert report.partial
    assert found["missing"] == ["b: the rows beyond 200,000 of this table, and of what follows it"]


def test_figures_that_no_machine_adds_up_break_no_report() -> None:
    outcomes = [outcome("a", {"n": 10**4000}), outcome("b", {"n": 1.5})]
    report, _ = joined(outcomes, {"columns": {"n": "data.n", "of": "data.²"}, "totals": ["n"]})
    assert "inf n" in report.summary
    assert len(report.markdown) < 3000


def test_a_table_of_very_many_columns_is_refused() -> None:
    columns: JsonValue = {f"c{i}": "title" for i in range(51)}
    with pytest.raises(PlanError, match="51 columns, 50 are allowed"):
        joined([outcome("a")], {"columns": columns})


def test_without_columns_it_tells_task_node_and_result() -> None:
    report, _ = joined([outcome("a", summary="fine")])
    assert "| task | node | result |" in report.markdown
    assert "| a    | left | fine   |" in report.markdown


@given(st.text(max_size=100), st.text(max_size=100))
def test_no_text_of_a_result_breaks_out_of_its_cell(cell: str, title: str) -> None:
    report, _ = joined([outcome("a", {"x": cell}, title=title)], {"columns": {"x": "data.x", "t": "title"}})
    lines = report.markdown.splitlines()
    assert len(lines) == 7
    assert lines[-1].count("|") - lines[-1].count("\\|") == 3
    assert report.markdown.replace("\n", "").isprintable()


# --- step:NAME ---


def test_the_report_is_what_the_step_wrote() -> None:
    report, data = joined(
        [outcome("a", {}), outcome("b", {"markdown": "# It\n\nis so.\x1b[31m\n", "n": 1})], how="step:b"
    )
    assert report.markdown == "# It\n\nis so.\ufffd[31m\n"
    assert data["n"] == 1


def test_a_step_that_brought_text_is_the_text() -> None:
    plan = Plan(tasks=(Task(step="b", demand="code"),), join="step:b")
    report = join(plan, REQUEST, [outcome("b", "all\nwell", summary="well")])
    assert (report.markdown, report.data, report.summary) == ("all\nwell\n", "all\nwell", "well")


def test_what_else_is_missing_stands_before_the_steps_own_words() -> None:
    report, _ = joined(
        [outcome("a", state="failed", reason="x"), outcome("b", {"text": "all"})], how="step:b"
    )
    assert report.markdown == "## Missing\n\n- a: failed: x\n\nall\n"
    assert report.partial


def test_without_that_step_the_others_are_told_plainly() -> None:
    report, _ = joined([outcome("a", {"n": 1}), outcome("b", state="failed", reason="x")], how="step:b")
    assert report.partial
    assert "b: failed: x" in report.markdown
    assert '"n": 1' in report.markdown
