"""The plain join: every task with how it ended and what it said."""

import time

import pytest
from markdown_it import MarkdownIt

from picoclaw.errors import PlanError
from picoclaw.roles.synthesis.bodies import join_bodies
from picoclaw.roles.synthesis.join import join
from picoclaw.roles.synthesis.missing import SHOWN_TASKS
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.roles.synthesis.report import Report
from picoclaw.swarm.records import ArtifactRef, Plan, Request, Result, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

REQUEST = Request(id="r-1", key_digest="0", text="Do it\nwell")
REF = ArtifactRef(name="x", size=9, digest="0")


def plan(*steps: str, join: str = "plain") -> Plan:
    return Plan(tasks=tuple(Task(step=step, demand="code") for step in steps), join=join)


def made(*outcomes: Outcome) -> Report:
    return join(plan(*(outcome.step for outcome in outcomes)), REQUEST, outcomes)


def done(step: str, result: Result, **more: object) -> Outcome:
    return Outcome(step=step, title=f"Task {step}", state="done", result=result, **more)  # type: ignore[arg-type]


def test_the_whole_report_reads_like_this() -> None:
    report = made(
        done("a", Result(summary="It *works*.\nReally.", data={"n": 1}), node="claw-1", seconds=1.5),
        Outcome(step="b", title="Task b", state="failed", reason="error: no such file"),
        done("c", Result(artifacts=(ArtifactRef(name="x", size=1200, digest="0", filename="out.txt"),))),
        done("d", Result()),
    )
    assert (
        report.markdown
        == """\
# Do it well

**3 of 4 tasks done.**

## Missing

- b: failed: error: no such file

## Task a

done by claw-1, 1.5 s

> It *works*.
> Really.

```json
{
  "n": 1
}
```

## Task b

**failed: error: no such file**

## Task c

done

Artifacts:

- out.txt (1,200 bytes)

## Task d

done

It returned nothing.
"""
    )
    assert report.partial
    assert report.summary == "3 of 4 tasks done; missing: b: failed: error: no such file"


def test_a_single_task_that_is_done_is_summed_up_by_what_it_said() -> None:
    report = made(done("task", Result(summary="42")))
    assert (report.summary, report.partial) == ("42", False)


def test_the_json_holds_each_task_whole() -> None:
    report = made(done("a", Result(summary="s", data=[1, None]), node="n", attempts=2, seconds=0.5))
    assert report.data == {
        "schema": "picoclaw.plain",
        "version": 1,
        "complete": True,
        "missing": [],
        "tasks": [
            {
                "step": "a",
                "title": "Task a",
                "demand": "",
                "state": "done",
                "reason": "",
                "node": "n",
                "attempts": 2,
                "seconds": 0.5,
                "summary": "s",
                "data": [1, None],
                "log": "",
                "artifacts": [],
            }
        ],
    }


def test_a_task_that_nobody_ran_is_missing() -> None:
    report = join(plan("a", "b"), REQUEST, [done("b", Result(summary="x"))])
    assert "a: still planned: never run" in report.markdown
    assert report.partial


def test_a_result_that_was_not_fetched_is_missing_not_empty() -> None:
    report = made(done("a", Result(ref=ArtifactRef(name="x", size=1, digest="0"))))
    assert "**its result cannot be read**" in report.markdown
    assert "It returned nothing" not in report.markdown


def test_what_a_task_says_cannot_pose_as_another_tasks_section() -> None:
    said = "fine\n\n## Task b\n\n**done**\n\x1b[2J\n```\n<!-- \n"
    report = made(done("a", Result(summary=said, data="```\n# x")), done("b", Result(summary="real")))
    tokens = MarkdownIt("commonmark").parse(report.markdown)
    assert [t.level for t in tokens if t.type == "heading_open"] == [0, 0, 1, 0]
    assert "\x1b" not in report.markdown


def test_a_long_result_is_cut_in_markdown_and_whole_in_the_json() -> None:
    report = made(done("a", Result(summary="s" * 50_000, data="d" * 50_000)))
    assert len(report.markdown) < 45_000
    assert "the rest is in the JSON" in report.markdown
    assert "d" * 50_000 in report.to_bytes().decode()


def test_of_very_many_tasks_markdown_shows_the_first_and_the_json_all() -> None:
    report = made(
        *(done(f"s{i}", Result(summary="x")) for i in range(SHOWN_TASKS + 7)),
        *(Outcome(step=f"f{i}", state="failed", reason="error") for i in range(SHOWN_TASKS + 5)),
    )
    assert report.markdown.count("## Task ") == SHOWN_TASKS
    assert f"… and {SHOWN_TASKS + 12} more tasks in the JSON." in report.markdown
    assert "- … and 5 more in the JSON" in report.markdown
    assert len(report.data["tasks"]) == 2 * SHOWN_TASKS + 12  # type: ignore[index,call-overload,arg-type]


def test_an_unknown_join_is_refused() -> None:
    with pytest.raises(PlanError, match="'poem', which this version does not know"):
        join(plan("a", join="poem"), REQUEST, [])


def test_a_text_reads_as_it_is_and_one_that_is_the_summary_stands_there_once() -> None:
    report = made(
        done("a", Result(summary="2 lines", data='say "hi"\n# no heading')),
        done("b", Result(summary="42", data="42")),
    )
    assert '> 2 lines\n\n```\nsay "hi"\n# no heading\n```' in report.markdown
    assert report.markdown.count("42") == 1


def test_a_result_of_a_million_numbers_is_neither_read_as_reviews_nor_written_out_for_people() -> None:
    outcome = done("a", Result(data=[1] * 1_000_000))
    began = time.process_time()
    report = made(outcome)
    assert time.process_time() - began < 1.5, "each number was looked at on its own"
    assert len(report.markdown) < 50_000
    assert "… the rest is in the JSON." in report.markdown


def test_a_single_task_is_its_answer_and_one_line_on_who_gave_it() -> None:
    report = made(done("task", Result(summary="6", data=6), node="worker-1", seconds=0.04))
    assert report.markdown == "# Do it well\n\n> 6\n\ndone by worker-1, 0.0 s\n"


def test_a_single_task_that_failed_says_so_once() -> None:
    report = made(Outcome(step="task", title="Do it", state="failed", reason="no such file"))
    assert report.markdown == "# Do it well\n\n**failed: no such file**\n"


def test_lines_read_as_lines_and_a_mapping_as_json() -> None:
    report = made(
        done("a", Result(summary="2 lines", data=['say "hi"', "b\\c"])),
        done("b", Result(summary="2 entries", data={"a": 1})),
    )
    assert '> 2 lines\n\n```\nsay "hi"\nb\\c\n```' in report.markdown
    assert '> 2 entries\n\n```json\n{\n  "a": 1\n}\n```' in report.markdown


def test_a_stored_body_that_cannot_be_read_is_missing_and_the_others_are_joined() -> None:
    outcomes = [done("a", Result(ref=REF)), done("b", Result(ref=REF)), done("c", Result(data="small"))]
    bodies = {"a": Result(data=[1, 2], summary="two").to_bytes(), "b": b"{broken"}
    joined = join_bodies(plan("a", "b", "c"), REQUEST, outcomes, bodies)

    assert joined.partial
    whole = Result.from_bytes(joined.body).data
    assert isinstance(whole, dict)
    assert [task["data"] for task in whole["data"]["tasks"]] == [[1, 2], None, "small"]  # type: ignore[call-overload, index, union-attr]
    assert "not a valid result" in str(whole["markdown"])
