"""A change: what is on its lines, how it travels, and what the report of it says."""

import json
import re
from pathlib import Path

import pytest
from pydantic import JsonValue

from picoclaw.capabilities.analyzers.analyzer import Reading
from picoclaw.capabilities.analyzers.radon import Radon
from picoclaw.capabilities.analyzers.review import assemble
from picoclaw.capabilities.analyzers.running import Outcome as ToolOutcome
from picoclaw.capabilities.analyzers.survey import Survey
from picoclaw.capabilities.change import Change, ChangedFile, change_of
from picoclaw.capabilities.findings import Finding, Review, ToolRun
from picoclaw.capabilities.repository.diff import parse_patch
from picoclaw.cli.request.diff import nothing_to_review
from picoclaw.errors import FinalError
from picoclaw.roles.planning.plan import make_plan
from picoclaw.roles.planning.template import read_template
from picoclaw.roles.synthesis.join import join
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.swarm.records import Plan, RepositoryRef, Request, Result, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

CHANGE = Change(
    base="main",
    commit="c" * 40,
    head="d" * 40,
    files={"old.py": ChangedFile(spans=((3, 4), (9, 9))), "new.py": ChangedFile(new=True, spans=((1, 2),))},
)


def at(path: str, line: int, severity: str = "low") -> Finding:
    body = {
        "path": path,
        "line": line,
        "rule": f"R{line}",
        "severity": severity,
        "kind": "bug",
        "message": "m",
        "tool": "t",
    }
    return Finding.model_validate(body)


FOUND = (at("old.py", 3), at("old.py", 5), at("old.py", 9), at("old.py", 0), at("new.py", 0), at("new.py", 2),
         at("other.py", 3), at(".", 0))  # fmt: skip
KEPT = [("new.py", 0), ("new.py", 2), ("old.py", 3), ("old.py", 9)]


def reviewed(change: Change | None, *found: Finding, limit: int = 100) -> Review:
    run = ToolOutcome(ToolRun(tool="t", status="ok"), Reading(found))
    return assemble("code", Survey(Path("/r"), ()), [Radon()], [run], limit, change=change)


def test_only_what_the_change_wrote_is_kept_and_the_rest_is_counted() -> None:
    review = reviewed(CHANGE, *FOUND)
    assert [(f.path, f.line) for f in review.findings] == KEPT
    assert review.left_out == len(FOUND) - len(KEPT)


def test_what_lies_elsewhere_takes_no_room_below_the_cap() -> None:
    review = reviewed(
        CHANGE, *(at("other.py", line, "high") for line in range(1, 50)), at("old.py", 3), limit=2
    )
    assert [(f.path, f.line) for f in review.findings] == [("old.py", 3)]
    assert (review.dropped, review.left_out) == (0, 49)


def test_without_a_change_nothing_is_left_out() -> None:
    review = reviewed(None, *FOUND)
    assert len(review.findings) == len(FOUND)
    assert review.left_out is None


def test_it_travels_in_the_input_and_a_damaged_one_is_refused() -> None:
    carried = json.loads(json.dumps(CHANGE.model_dump(mode="json", exclude_defaults=True)))
    assert change_of({"change": carried}) == CHANGE
    assert change_of({"text": "Review"}) is None
    with pytest.raises(FinalError, match="cannot be read"):
        change_of({"change": {**carried, "files": {"a": {"spans": [[0, 1]]}}}})


def joined(review: Review | None, change: Change | None) -> tuple[str, dict[str, JsonValue]]:
    data = review.model_dump(mode="json") if review is not None else None
    outcome = Outcome(step="code", demand="code", state="done", node="n", result=Result(data=data))
    carried = {"change": change.model_dump(mode="json")} if change is not None else {}
    request = Request(id="r-1", key_digest="0", text="Review", input=carried)
    made = join(Plan(tasks=(Task(step="code", demand="code"),), join="code-review"), request, [outcome])
    assert isinstance(made.data, dict)
    return made.markdown, made.data


def test_the_report_says_what_it_was_limited_to() -> None:
    markdown, data = joined(reviewed(CHANGE, *FOUND), CHANGE)
    assert (
        "Review of the change `main..dddddddddddd`: 2 files, 5 lines; 4 findings elsewhere were left out."
        in markdown
    )
    assert data["change"] == {
        "base": "main", "commit": "c" * 40, "head": "d" * 40, "files": 2, "lines": 5, "left_out": 4,
    }  # fmt: skip


def test_a_review_of_everything_says_nothing_of_a_change() -> None:
    markdown, data = joined(reviewed(None, *FOUND), None)
    assert "Review of the change" not in markdown
    assert data["change"] is None


def test_a_reviewer_that_knows_no_change_is_named() -> None:
    markdown, _ = joined(reviewed(None, *FOUND), CHANGE)
    assert "code: of the whole repository, its node does not know --diff" in markdown


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (CHANGE, ""),
        (CHANGE.model_copy(update={"files": {}}), "nothing changed in main..dddddddddddd"),
        (
            CHANGE.model_copy(update={"files": {}, "removed": 2}),
            "no line was written.*2 files removed, 0 changed",
        ),
        (CHANGE.model_copy(update={"files": {"a": ChangedFile()}}), "no line was written.*1 changed"),
        (CHANGE.model_copy(update={"files": {"a": ChangedFile(new=True)}}), ""),
    ],
)
def test_a_change_without_a_line_is_nothing_to_review(change: Change, words: str) -> None:
    said = nothing_to_review(change)
    assert bool(said) == bool(words)
    assert re.search(words, said)


def test_content_that_reads_like_a_patch_is_content() -> None:
    patch = (
        b"diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,3 @@\n--- a/x\n--- b\n"
        b"+++ b/evil.py\n+@@ -0,0 +1,99 @@\n+diff --git a/z b/z\n\\ No newline at end of file\n"
        b"diff --git a/b c b/b c\nnew file mode 100644\n--- /dev/null\n+++ b/b c\t\n@@ -0,0 +1 @@\n+x\n"
    )
    parsed = parse_patch(patch)
    assert {path: (file.new, file.spans) for path, file in parsed.files.items()} == {
        "a.py": (False, ((1, 3),)),
        "b c": (True, ((1, 1),)),
    }


WORKFLOW = """
name: look
inputs: {others: {type: repositories}}
tasks:
  - {step: here, demand: code}
  - {step: there, demand: code, for_each: others, repository: "${item}"}
"""


def test_with_declared_inputs_the_change_goes_with_its_own_repository_and_no_other() -> None:
    ours, other = (
        RepositoryRef(url="https://a.org/x", commit="a" * 40),
        {"url": "https://b.org/y", "commit": "b" * 40},
    )
    carried = CHANGE.model_dump(mode="json", exclude_defaults=True)
    request = Request(
        id="r", key_digest="0", text="Look", repository=ours, input={"change": carried, "others": [other]},
        workflow=read_template(WORKFLOW, "look.yaml").to_json(),
    )  # fmt: skip
    here, there = make_plan(request, ()).tasks
    assert change_of(here.input) == CHANGE
    assert change_of(there.input) is None
