"""Reports by a model: true citations, honest gaps, evidence in pieces that fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.roles.synthesis.by_model.citations import check_citations
from picoclaw.roles.synthesis.by_model.evidence import LEAST, Piece, evidence, gather, size
from picoclaw.roles.synthesis.by_model.written import Written
from picoclaw.roles.synthesis.join import join
from picoclaw.roles.synthesis.outcome import Outcome
from picoclaw.swarm.records import Plan, Planning, Request, Result, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

ID = "r-abcdefghijklmnop"
REQUEST = Request(id=ID, key_digest="0", text="Compare two queues")
PLAN = Plan(
    tasks=tuple(Task(step=step, demand="research") for step in ("one", "two", "three")),
    join="model",
    planning=Planning(by="model", model="fake/big", note="a source each", revision=2),
)
OUTCOMES = (
    Outcome(step="one", title="First", state="done", result=Result(summary="fast"), node="w1"),
    Outcome(
        step="two", title="Second", state="done", result=Result(summary="safe", data={"n": 3}), node="w2"
    ),
    Outcome(step="three", state="failed", reason="error: no network"),
)


def test_citations_of_nothing_are_struck() -> None:
    checked = check_citations(
        f"A [task:one]. B [task: two, nobody]. C [task:ghost]. D {ID}.one, r-bbbbbbbbbbbbbbbb.one. "
        f"E [task:{ID}.two] and [a link](x), [x].",
        ID,
        {"one", "two"},
    )
    assert checked.text == (
        f"A [`one`]. B [`two`]. C. D {ID}.one, (a task that there is not). E [`two`] and [a link](x), [x]."
    )
    assert checked.cited == ("one", "two")
    assert checked.struck == ("nobody", "ghost", "r-bbbbbbbbbbbbbbbb.one")


def test_citations_in_other_brackets_are_checked_too() -> None:
    steps = {"one", "rock-and-roll"}
    checked = check_citations(
        "A (task: one). B (Tasks: one; ghost and rock-and-roll). C [step:`one`, task:none]. D [task:ghost](x) (one).",
        ID,
        steps,
    )
    assert checked.text == "A [`one`]. B [`one`, `rock-and-roll`]. C [`one`]. D(x) (one)."
    assert checked.struck == ("ghost", "none")


@given(st.text(alphabet="[]()task:, onewx`\n", max_size=80))
def test_no_citation_survives_that_is_none(text: str) -> None:
    checked = check_citations(text, ID, {"one"})
    assert set(checked.cited) <= {"one"}
    assert "[task:x]" not in checked.text
    assert "(task:x)" not in checked.text


def test_words_in_round_brackets_are_no_citation_and_stay() -> None:
    text = "Do it (steps: see the appendix, then go on). Not (task: ghost)."
    checked = check_citations(text, ID, ("one",))
    assert checked.text == "Do it (steps: see the appendix, then go on). Not."
    assert checked.struck == ("ghost",)


def test_the_report_has_the_text_the_gaps_the_sources_and_its_origin() -> None:
    written = Written(
        text="# Answer\n\nFast [task:one], \x1b[31mred [task:none].", model="fake/big", turns=2, tokens=900
    )
    report = join(PLAN, REQUEST, OUTCOMES, written)
    assert report.partial
    assert report.markdown.startswith("# Answer\n\nFast [`one`], ")
    assert "\x1b" not in report.markdown
    assert "## Missing\n\n- three: failed: error: no network" in report.markdown
    assert "- `one`: First, by w1\n- `two`: Second, by w2 (not cited)" in report.markdown
    assert "Written by fake/big from the results of 2 of 3 tasks" in report.markdown
    assert "1 citation of nothing struck out" in report.markdown
    assert "2 turns, 900 tokens, price unknown" in report.markdown
    assert "Planned by fake/big as 3 tasks, looked at again 1 time (a source each)." in report.markdown
    assert isinstance(report.data, dict)
    assert (report.data["schema"], report.data["cited"], report.data["struck"]) == (
        "picoclaw.synthesis",
        ["one"],
        ["none"],
    )
    assert isinstance(report.data["planning"], dict)


def test_a_result_that_is_but_a_part_is_said_to_the_model_and_to_the_reader() -> None:
    half = Outcome(
        step="one", title="First", state="done", result=Result(summary="half", partial="its budget is spent")
    )
    report = join(PLAN, REQUEST, (half, *OUTCOMES[1:]), Written(text="All [task:one].", model="m"))
    assert "- `one`: First (in part: its budget is spent)" in report.markdown
    assert "[task:one] First (it ended before its work was done" in evidence((half,))[0].text


def test_pieces_that_do_not_fit_together_are_not_left_out() -> None:
    pieces = [Piece(("one",), "x" * 3_000), Piece(("two",), "y" * 2_999)]
    assert size(pieces) == 6_001
    assert len(gather(pieces, 6_001)) == 1
    assert len(gather(pieces, 6_000)) == 2


@pytest.mark.parametrize("why", [None, "the model declined"])
def test_without_a_text_it_is_the_plain_join_and_says_so(why: str | None) -> None:
    report = join(PLAN, REQUEST, OUTCOMES, why)
    assert "2 of 3 tasks done" in report.markdown
    assert (
        f"The results stand as they are: {why or 'no model was asked to write this report'}"
        in report.markdown
    )


def test_a_text_that_cites_nothing_says_so() -> None:
    report = join(PLAN, REQUEST, OUTCOMES[:1], Written(text="Well.", model="m", usd=0.5))
    assert "it cites no task: check it against the results" in report.markdown
    assert "0.5000 USD" in report.markdown


def test_evidence_is_each_result_whole_with_its_step() -> None:
    one, two = evidence(OUTCOMES)
    assert one == Piece(("one",), "[task:one] First\nfast")
    assert two.text == '[task:two] Second\nsafe\n{"n": 3}'


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=12), st.integers(LEAST, 8000))
def test_pieces_fit_and_nothing_is_lost(sizes: list[int], room: int) -> None:
    pieces = [Piece((f"s{n}",), f"{n % 10}" * size) for n, size in enumerate(sizes)]
    gathered = gather(pieces, room)
    assert all(len(piece.text) <= room for piece in gathered)
    for n, least in enumerate(sizes):
        found = sum(piece.text.count(f"{n % 10}" * 1) for piece in gathered if f"s{n}" in piece.steps)
        assert found >= least
